"""Whether a sandbox has come as far as a recording had at some moment.

Only what is worth waiting for is looked at: which objects there are, how ready, how terminating, how often restarted.
An object that is already where the recorded one came later is far enough.
"""

import re
from collections import Counter
from collections.abc import Iterator

from tests.conformance.timeline_objects import Flat, Life, Lives, called

_NOT_AWAITED = frozenset({"EndpointSlice", "Endpoints", "ControllerRevision", "Lease"})
_REVEALING = re.compile(
    r"^(metadata\.deletionTimestamp|status\.(phase|replicas|readyReplicas|availableReplicas|updatedReplicas|numberReady|"
    r"updatedNumberScheduled|currentRevision|succeeded|failed)|status\.conditions\[(Ready|Complete|"
    r"Failed|Suspended|Progressing|Available)\]\.(status|reason)|status\.containerStatuses\[.*\]\.restartCount)$"
)
_BY_PRESENCE = re.compile(r"(deletionTimestamp|currentRevision)$")
Outline = tuple[tuple[str, str], ...]


def outline(flat: Flat) -> Outline:
    """The part of an object that is worth waiting for."""
    found = [(path, value) for path, value in flat.items() if _REVEALING.match(path)]
    if "metadata.generation" in flat and "status.observedGeneration" in flat:
        behind = flat["status.observedGeneration"] < flat["metadata.generation"]
        found.append(("observed", "behind" if behind else "current"))
    return tuple(sorted((path, "set" if _BY_PRESENCE.search(path) else str(value)) for path, value in found))


def gap(ours: Lives, theirs: Lives, future: Lives, *, at_ms: float) -> str | None:
    """What the sandbox lacks to be where the recording is; None if nothing.

    Args:
        ours: the sandbox's objects.
        theirs: the recording's at that moment.
        future: the recording's at its end.
        at_ms: the moment.
    """
    for group, count in Counter(map(_group, theirs.lives)).items():
        if group[0] not in _NOT_AWAITED and sum(_group(life) == group for life in ours.lives) < count:
            return f"{group[0]} {group[1]} has not appeared so often"
    left = [life for life in ours.alive() if life.kind not in _NOT_AWAITED]
    for life in reversed(theirs.alive()):
        if life.kind in _NOT_AWAITED:
            continue
        whole = _whole(life, future)
        ways = set(_outlines(whole, at_ms))
        like = [each for each in left if _group(each) == _group(life)]
        found = next((each for each in like if life.is_partial or outline(each.last) in ways), None)
        if found is not None:
            left.remove(found)
        elif like or not whole.deleted:
            shown = [dict(outline(each.last)) for each in like]
            return f"{life.kind} {life.name}: {shown}, expected {dict(outline(life.last))}"
    later = {(_group(life), way) for life in future.lives for way in _outlines(life, at_ms)}
    from_before = {_group(life) for life in future.lives if life.is_partial}
    for life in left:
        if _group(life) not in from_before and (_group(life), outline(life.last)) not in later:
            return f"{life.kind} {life.name} is still there: {dict(outline(life.last))}"
    return None


def _group(life: Life) -> tuple[str, str]:
    return life.kind, called(life.kind, life.name)


def _whole(life: Life, future: Lives) -> Life:
    """The same object with all that became of it."""
    began = life.states[0][0]
    return next(each for each in future.lives if each.name == life.name and each.states[0][0] == began)


def _outlines(life: Life, at_ms: float) -> Iterator[Outline]:
    """What the object looked like at a moment and later."""
    before = [flat for ms, flat in life.states if ms <= at_ms]
    if before:
        yield outline(before[-1])
    yield from (outline(flat) for ms, flat in life.states if ms > at_ms)
