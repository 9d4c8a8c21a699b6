"""When an object's life in the sandbox is alike to the recorded one.

For each path the order of its values counts, not the moments, and not which paths changed together: a server may write
two changes at once. A value may be missing where a real cluster may skip it too: counts on their way from one number to
the next, lists (a Service's endpoints) on their way from one content to the next, and what lasted so short in the
recording that its cluster could as well have missed it (its kubelets look at containers once a second). The first and
the last value, and every other one in between, must be there in this order; beyond them only counts may appear, and for
as short a time a recorded value once more. An object that was made anew under its name and lived as short may be
missing too, as may be what a deleted object came to in its last moments. Of a container that is restarted again and
again what comes before the last restart that both saw is compared.

Of the events about an object reasons, types and messages must be the same, in the order in which each component told
them first; how often the same was told doesn't count, nor what a kubelet tells only when it is slow.
"""

import re
from collections.abc import Sequence
from functools import cache
from math import inf
from typing import Any

from tests.conformance.scores import Outcome
from tests.conformance.timeline_objects import Life, Lives, called

_BRIEF_MS = 3200.0
_SHOWN = 160
_AGAIN_AND_AGAIN = 2
# What a condition or a flag is before anything has happened.
_BEGINNINGS = ("False", False)
_BY_CHANCE = re.compile(
    r"failed to sync (configmap|secret) cache|combined from similar events"
    r"|[Rr]eadiness probe failed: .*(connection refused|context deadline exceeded)"
)
Course = Sequence[tuple[float, Any]]


def compare(ours: Lives, theirs: Lives) -> list[Outcome]:
    """One outcome for each recorded object, and for each object that events were told about."""
    outcomes = []
    for group in dict.fromkeys((life.kind, called(life.kind, life.name)) for life in theirs.lives):
        mine = [life for life in ours.lives if (life.kind, called(life.kind, life.name)) == group]
        other = [life for life in theirs.lives if (life.kind, called(life.kind, life.name)) == group]
        outcomes += _group(mine, other, ours, theirs)
    known = {(life.kind, called(life.kind, life.name)) for life in theirs.lives}
    for life in ours.lives:
        if (life.kind, called(life.kind, life.name)) not in known:
            outcomes.append(Outcome(f"{life.kind} {life.name}", ["there is no such object in the recording"]))
    return outcomes + _events(ours, theirs)


def _group(mine: list[Life], other: list[Life], ours: Lives, theirs: Lives) -> list[Outcome]:
    """Pairs objects of one generated name: each recorded one with the one that is most like it."""
    left, found = list(mine), []
    for life in other:
        scored = [(_differences(each, life, ours, theirs), each) for each in left]
        if not scored:
            if not (
                life.deleted and _is_brief(life) and any(each.name == life.name for each in other if each is not life)
            ):
                found.append(Outcome(f"{life.kind} {life.name}", ["it doesn't appear"]))
            continue
        problems, best = min(scored, key=lambda pair: len(pair[0]))
        left.remove(best)
        found.append(Outcome(f"{life.kind} {life.name}", problems))
    found += [Outcome(f"{life.kind} {life.name}", ["it appears once too often"]) for life in left]
    return found


def _is_brief(life: Life) -> bool:
    return life.states[-1][0] - life.states[0][0] < _BRIEF_MS


def _differences(ours: Life, theirs: Life, our_words: Lives, their_words: Lives) -> list[str]:
    problems = []
    if ours.deleted != theirs.deleted:
        problems.append("is deleted" if ours.deleted else "isn't deleted")
    again = min(ours.restarts, theirs.restarts)
    if again >= _AGAIN_AND_AGAIN:
        # Where it was cut off is a matter of moments.
        ours, theirs = ours.before_restart(again), theirs.before_restart(again)
    mine, other = ours.courses(our_words.words), theirs.courses(their_words.words)
    for path in sorted(other if theirs.is_partial else {*mine, *other}):
        left: Course = mine.get(path, [(0.0, None)])
        right: Course = other.get(path, [(0.0, None)])
        same = _continues if theirs.is_partial else alike
        if not same(left, right, end_ms=(ours.ended_ms, theirs.ended_ms)):
            problems.append(f"{path}: {_shown(left)}, expected {_shown(right)}")
    return problems


def _shown(course: Course) -> str:
    text = " > ".join("-" if value is None else str(value) for _, value in course)
    return text if len(text) < _SHOWN else f"{text[:_SHOWN]}..."


def _continues(ours: Course, theirs: Course, *, end_ms: tuple[float | None, float | None]) -> bool:
    """Whether the courses are alike from some value on, of an object whose beginning isn't recorded."""
    right = theirs[1:] if theirs[0][1] is None else theirs
    return any(alike(ours[begin:], right, end_ms=end_ms) for begin in range(len(ours)))


def alike(ours: Course, theirs: Course, *, end_ms: tuple[float | None, float | None]) -> bool:
    """Whether a path's values came in the recorded order, as far as order is defined.

    Args:
        ours: the sandbox's values.
        theirs: the recorded ones.
        end_ms: when the sandbox's object and the recorded one were deleted; None if they weren't.
    """
    mine, other = [value for _, value in ours], [value for _, value in theirs]
    our_spans, their_spans = _spans(ours, end_ms[0]), _spans(theirs, end_ms[1])
    # What a deleted object came to in its last moments may have been overtaken by its end.
    last = len(other) if end_ms[0] is not None else len(other) - 1

    @cache
    def fits(left: int, right: int) -> bool:
        if left == len(mine) and right == len(other):
            return True
        if left < len(mine) and right < len(other) and mine[left] == other[right] and fits(left + 1, right + 1):
            return True
        if 0 < right < len(other) and (right < last and their_spans[right] < _BRIEF_MS) and fits(left, right + 1):
            return True
        if right < len(other) - 1 and _is_passing(other[right], their_spans[right]) and fits(left, right + 1):
            return True
        if left >= len(mine) - 1:
            return False
        again = (mine[left] in other or mine[left] in _BEGINNINGS) and our_spans[left] < _BRIEF_MS
        return (_counts(mine[left]) or again) and fits(left + 1, right)

    return fits(0, 0)


def _spans(course: Course, end_ms: float | None) -> list[float]:
    """How long each value lasted; the last one for ever, if the object wasn't deleted."""
    starts = [ms for ms, _ in course]
    ends = [*starts[1:], inf if end_ms is None else end_ms]
    return [later - ms for ms, later in zip(starts, ends, strict=False)]


def _is_passing(value: Any, lasted_ms: float) -> bool:
    return _counts(value) or lasted_ms < _BRIEF_MS


def _counts(value: Any) -> bool:
    return value is None or isinstance(value, list) or (isinstance(value, int) and not isinstance(value, bool))


def _events(ours: Lives, theirs: Lives) -> list[Outcome]:
    mine, other = _by_object(ours), _by_object(theirs)
    outcomes = []
    for about, told in other.items():
        problems = []
        for component in dict.fromkeys(words[0] for words in told):
            expected = [words[1:] for words in told if words[0] == component]
            found = [words[1:] for words in mine.get(about, []) if words[0] == component]
            problems += [f"{component} doesn't tell {words}" for words in expected if words not in found]
            problems += [f"{component} tells {words}" for words in found if words not in expected]
            common = [words for words in expected if words in found]
            if not problems and common != [words for words in found if words in expected]:
                problems.append(f"{component} tells in another order: {found}, expected {expected}")
        outcomes.append(Outcome(f"events about {about}", problems))
    return outcomes


def _by_object(lives: Lives) -> dict[str, list[tuple[str, ...]]]:
    """The events of each object, or of all objects of one generated name together."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for about, told in lives.told.items():
        kind, _, name = about.partition("/")
        entries = found.setdefault(f"{kind}/{called(kind, name)}", [])
        for component, kind_of_event, reason, message in told:
            words = (component, kind_of_event, reason, lives.words.text(message))
            if _BY_CHANCE.search(message):
                continue
            if words not in entries:
                entries.append(words)
    return found
