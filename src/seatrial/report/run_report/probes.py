"""The probes that steps made, over all rounds.

A step is told once: the addresses that it asks may be others in each round, as those of a Service that it makes are.
"""

import msgspec

from seatrial.policy.wording import counted
from seatrial.report.run_report.latencies import Latencies
from seatrial.report.run_report.model import ProbeTold
from seatrial.report.summary import is_background
from seatrial.runtime.events import ProbeSampled, Record

_MOST_STEPS = 100
_MOST_TARGETS = 1000


class _Probe(msgspec.Struct):
    succeeded: int = 0
    failed: int = 0
    last_error: str = ""
    targets: dict[str, None] = msgspec.field(default_factory=dict)
    latencies: Latencies = msgspec.field(default_factory=Latencies)


class ProbeCollector:
    """Takes in the looks of probes, those of steady states aside."""

    def __init__(self) -> None:
        self._probes: dict[tuple[str, int | None], _Probe] = {}

    def add(self, record: Record) -> None:
        """Take in one event."""
        sample = record.event
        if not isinstance(sample, ProbeSampled) or is_background(record):
            return
        key = (record.where.scenario, record.where.step)
        if key not in self._probes and len(self._probes) >= _MOST_STEPS:
            key = (record.where.scenario, None)
        probe = self._probes.setdefault(key, _Probe())
        if len(probe.targets) < _MOST_TARGETS:
            probe.targets[sample.target] = None
        probe.latencies.add(sample.latency_ms)
        probe.succeeded += sample.ok
        probe.failed += not sample.ok
        probe.last_error = sample.error or probe.last_error

    def told(self) -> tuple[ProbeTold, ...]:
        """Each step's, in the order in which they were made first."""
        return tuple(
            ProbeTold(
                scenario=scenario,
                step=step,
                target=_named(probe.targets),
                succeeded=probe.succeeded,
                failed=probe.failed,
                last_error=probe.last_error,
                latency=probe.latencies.told(),
            )
            for (scenario, step), probe in self._probes.items()
        )


def _named(targets: dict[str, None]) -> str:
    """What was asked; of many, the first, and how many there were."""
    first = next(iter(targets))
    return first if len(targets) == 1 else f"{first} and {counted(len(targets) - 1, 'other')}"
