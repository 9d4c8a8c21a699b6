"""What was done to machines, containers and pods beside kills, what was measured, proven and refused; counted."""

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from seatrial.policy.wording import counted
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
    MachineDeleted,
    MachinePaused,
    MachineRebooted,
    MachineStarted,
    MachineStopFailed,
    MachineStopped,
    MeasurementTaken,
    PodCommandExecuted,
    PodEvicted,
    PodMoved,
    ProofMissing,
)

_LATEST = 1000
_SHOWN = 5


class FaultFigures:
    """The figures of one run; their number is bounded by what a policy says, not by how long it runs."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._machines: deque[str] = deque(maxlen=_LATEST)
        self._unproven: deque[str] = deque(maxlen=_LATEST)
        self._guardrails: Counter[str] = Counter()
        self._measured: dict[str, deque[float]] = {}
        self._cut_short: Counter[str] = Counter()
        self._moves: deque[PodMoved] = deque(maxlen=_LATEST)

    def add(self, event: Event) -> None:
        """Take in one event; most are none of ours."""
        match event:
            case (
                MachineStopped(name=name)
                | MachineRebooted(name=name)
                | MachinePaused(name=name)
                | MachineDeleted(name=name)
            ):
                self._counts[_TO_MACHINES[type(event)]] += 1
                self._machines.append(name)
            case CommandExecuted(exit_code=code) | PodCommandExecuted(exit_code=code):
                self._counts["ran" if code == 0 else "failed commands"] += 1
            case EvictionSkipped(error=error):
                self._counts["not evicted"] += error
            case PodMoved():
                self._counts["moved"] += 1
                self._moves.append(event)
            case MeasurementTaken(name=name, is_lower_bound=True):
                self._cut_short[name] += 1
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
                "rebooted": counts["rebooted"],
                "paused": counts["paused"],
                "deleted": counts["deleted"],
                "started": counts["started"],
                "names": list(self._machines),
            },
            "moves": {
                "moved": counts["moved"],
                "pods": [
                    {"pod": str(each.pod), "by": str(each.replacement), "from": each.from_node, "to": each.to_node}
                    for each in self._moves
                ],
                **{name: distribution(self._move_times(name)) for name in _MOVE_MOMENTS},
            },
            "evictions": {
                "evicted": counts["evicted"],
                "blocked": counts["blocked"],
                "failed": counts["not evicted"],
            },
            "containers": {"signalled": counts["signalled"]},
            "commands": {"ok": counts["ran"], "failed": counts["failed commands"]},
            "measurements": {name: distribution(times) for name, times in self._measured.items()},
            "measurementsCutShort": dict(self._cut_short),
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
        if told := self._told(("stopped", "not stopped", "rebooted", "paused", "deleted", "started")):
            yield "machines", told + (f": {_named(self._machines)}" if self._machines else "")
        if self._moves:
            yield "moved", self._moved_line()
        if told := self._told(("evicted", "blocked", "not evicted")):
            yield "evictions", told
        if told := self._told(("signalled",)):
            yield "containers", told
        if commands := counts["ran"] + counts["failed commands"]:
            yield "commands", f"{commands} run, {counts['failed commands']} failed"
        if self._measured or self._cut_short:
            yield "measured", "; ".join(map(self._measurement, {**self._measured, **self._cut_short}))
        if told := self._told(("proven", "cleared", "unproven")):
            yield "evidence", told
        if self._guardrails:
            yield "refused", f"by guardrails: {', '.join(map(_often, self._guardrails.items()))}"

    def _measurement(self, name: str) -> str:
        """The times of one measurement, and how many had not come when nobody looked any more."""
        times, longer = self._measured.get(name), self._cut_short[name]
        parts = [spread(times)] if times else []
        parts += [f"{longer} not in time"] if longer else []
        return f"{name} {', '.join(parts)}"

    def _moved_line(self) -> str:
        """Which pods run elsewhere since, and after how long."""
        ways = Counter(f"{each.from_node} to {each.to_node}" for each in self._moves)
        if len(ways) == 1:
            shown = f" from {next(iter(ways))}"
        else:
            shown = ", " + ", ".join(f"{count} from {way}" for way, count in ways.most_common(_SHOWN))
        more = ", ..." if len(ways) > _SHOWN else ""
        ready = spread(self._move_times("ready"))
        return f"{counted(self._counts['moved'], 'pod')}{shown}{more}: Ready there after {ready}"

    def _move_times(self, moment: str) -> list[float]:
        values = (getattr(each, f"{moment}_ms") for each in self._moves)
        return [value for value in values if value is not None]

    def _told(self, names: tuple[str, ...]) -> str:
        return ", ".join(f"{self._counts[name]} {_WORDS.get(name, name)}" for name in names if self._counts[name])


_TO_MACHINES: dict[type[Event], str] = {
    MachineStopped: "stopped",
    MachineRebooted: "rebooted",
    MachinePaused: "paused",
    MachineDeleted: "deleted",
}
_MOVE_MOMENTS = ("evicted", "created", "ready")
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
    """By name: what is done to several at once ends in any order."""
    different = sorted(set(names))
    more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
    return ", ".join(different[:_SHOWN]) + more


def _often(guardrail: tuple[str, int]) -> str:
    name, count = guardrail
    return name if count == 1 else f"{name} ({count} times)"
