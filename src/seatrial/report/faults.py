"""What was done to machines, containers and pods beside kills, what was measured, proven and refused; counted."""

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from seatrial.report.durations import distribution, spread
from seatrial.runtime.events import (
    CommandExecuted,
    ContainerSignalled,
    Event,
    EvictionBlocked,
    EvictionSkipped,
    FaultCleared,
    FaultProven,
    GuardrailHeld,
    MachineStarted,
    MachineStopFailed,
    MachineStopped,
    MeasurementTaken,
    PodCommandExecuted,
    PodEvicted,
    ProofMissing,
)

_LATEST = 1000
_SHOWN = 5


class FaultFigures:
    """The figures of one run; their number is bounded by what a policy says, not by how long it runs."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._stopped: deque[str] = deque(maxlen=_LATEST)
        self._unproven: deque[str] = deque(maxlen=_LATEST)
        self._guardrails: Counter[str] = Counter()
        self._measured: dict[str, deque[float]] = {}

    def add(self, event: Event) -> None:
        """Take in one event; most are none of ours."""
        match event:
            case MachineStopped(name=name):
                self._counts["stopped"] += 1
                self._stopped.append(name)
            case CommandExecuted(exit_code=code) | PodCommandExecuted(exit_code=code):
                self._counts["ran" if code == 0 else "failed commands"] += 1
            case EvictionSkipped(error=error):
                self._counts["not evicted"] += error
            case MeasurementTaken(name=name, seconds=seconds):
                self._measured.setdefault(name, deque(maxlen=_LATEST)).append(seconds * 1000)
            case ProofMissing(subject=subject, reason=reason):
                self._counts["unproven"] += 1
                self._unproven.append(f"{subject}: {reason}")
            case GuardrailHeld(guardrail=guardrail):
                self._guardrails[guardrail] += 1
            case _ if what := _COUNTED.get(type(event)):
                self._counts[what] += 1

    def as_json(self) -> dict[str, Any]:
        """The figures as `--output json` prints them; times in milliseconds."""
        counts = self._counts
        return {
            "machines": {
                "stopped": counts["stopped"],
                "notStopped": counts["not stopped"],
                "started": counts["started"],
                "names": list(self._stopped),
            },
            "evictions": {
                "evicted": counts["evicted"],
                "blocked": counts["blocked"],
                "failed": counts["not evicted"],
            },
            "containers": {"signalled": counts["signalled"]},
            "commands": {"ok": counts["ran"], "failed": counts["failed commands"]},
            "measurements": {name: distribution(times) for name, times in self._measured.items()},
            "evidence": {
                "proven": counts["proven"],
                "cleared": counts["cleared"],
                "missing": list(self._unproven),
            },
            "guardrails": dict(self._guardrails),
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """The figures for people: of what there was, a heading and what it says."""
        counts = self._counts
        if told := self._told(("stopped", "not stopped", "started")):
            yield "machines", told + (f": {_named(self._stopped)}" if self._stopped else "")
        if told := self._told(("evicted", "blocked", "not evicted")):
            yield "evictions", told
        if told := self._told(("signalled",)):
            yield "containers", told
        if commands := counts["ran"] + counts["failed commands"]:
            yield "commands", f"{commands} run, {counts['failed commands']} failed"
        if self._measured:
            yield "measured", "; ".join(f"{name} {spread(times)}" for name, times in self._measured.items())
        if told := self._told(("proven", "cleared", "unproven")):
            yield "evidence", told
        if self._guardrails:
            yield "refused", f"by guardrails: {', '.join(map(_often, self._guardrails.items()))}"

    def _told(self, names: tuple[str, ...]) -> str:
        return ", ".join(f"{self._counts[name]} {_WORDS.get(name, name)}" for name in names if self._counts[name])


_COUNTED: dict[type[Event], str] = {
    MachineStopFailed: "not stopped",
    MachineStarted: "started",
    PodEvicted: "evicted",
    EvictionBlocked: "blocked",
    ContainerSignalled: "signalled",
    FaultProven: "proven",
    FaultCleared: "cleared",
}
_WORDS = {
    "not stopped": "could NOT be stopped",
    "blocked": "blocked by PodDisruptionBudgets",
    "not evicted": "could NOT be evicted",
    "proven": "proven to have happened",
    "cleared": "proven to be gone",
    "unproven": "NOT proven",
}


def _named(names: deque[str]) -> str:
    different = list(dict.fromkeys(names))
    more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
    return ", ".join(different[:_SHOWN]) + more


def _often(guardrail: tuple[str, int]) -> str:
    name, count = guardrail
    return name if count == 1 else f"{name} ({count} times)"
