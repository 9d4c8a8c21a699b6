"""Failures that come of themselves, in words and as figures: what is awaited, what strikes, how many were expected."""

from typing import Any

from seatrial.policy.spans import span_in_words
from seatrial.policy.wording import counted
from seatrial.report.durations import duration
from seatrial.runtime.events import FailureAwaited, FailuresCounted, FailureStruck, RunStarted

_MOST_NAMED = 10


def how_long(started: RunStarted) -> str:
    """How long a run goes on."""
    bounds = [] if started.rounds is None else [counted(started.rounds, "round")]
    bounds += [f"{started.duration} of the cluster's life"] if started.duration else []
    return " or ".join(bounds) or "until stopped"


def awaited(event: FailureAwaited) -> str:
    """When the next failure comes."""
    if event.seconds is None or event.life_seconds is None:
        return f"nothing can fail: {event.note}"
    return f"failure in {duration(event.seconds * 1000)}, {span_in_words(event.life_seconds)} of the cluster's life"


def struck(event: FailureStruck) -> str:
    """What fails, and when."""
    named = ", ".join(event.units[:_MOST_NAMED])
    more = f" and {len(event.units) - _MOST_NAMED} more" if len(event.units) > _MOST_NAMED else ""
    kind = event.kind if len(event.units) == 1 else f"{event.kind}s"
    zone = f", all of zone {event.zone}" if event.zone else ""
    return f"{kind} {named}{more}{zone}, after {span_in_words(event.life_seconds)} of the cluster's life"


def count_line(event: FailuresCounted) -> str:
    """How many failures of a kind there were, and how many were to be expected."""
    seen = f"{event.seen} seen, {event.expected:.3g} to be expected in {span_in_words(event.life_seconds)}"
    return f"{event.scenario} ({event.kind}s, MTTF {event.mttf}): {seen}"


def count_as_json(event: FailuresCounted) -> dict[str, Any]:
    """The same for programs."""
    return {
        "scenario": event.scenario,
        "kind": event.kind,
        "mttf": event.mttf,
        "seen": event.seen,
        "expected": event.expected,
        "lifeSeconds": event.life_seconds,
    }
