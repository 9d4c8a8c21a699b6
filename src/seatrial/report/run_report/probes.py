"""The probes that steps made, over all rounds."""

import msgspec

from seatrial.report.run_report.latencies import Latencies
from seatrial.report.run_report.model import ProbeTold
from seatrial.report.summary import is_background
from seatrial.runtime.events import ProbeSampled, Record

_MOST_TARGETS = 100
_OTHERS = "others"


class _Probe(msgspec.Struct):
    succeeded: int = 0
    failed: int = 0
    last_error: str = ""
    latencies: Latencies = msgspec.field(default_factory=Latencies)


class ProbeCollector:
    """Takes in the looks of probes, those of steady states aside."""

    def __init__(self) -> None:
        self._probes: dict[tuple[str, str], _Probe] = {}

    def add(self, record: Record) -> None:
        """Take in one event."""
        sample = record.event
        if not isinstance(sample, ProbeSampled) or is_background(record):
            return
        key = (record.where.scenario, sample.target)
        if key not in self._probes and len(self._probes) >= _MOST_TARGETS:
            key = (record.where.scenario, _OTHERS)
        probe = self._probes.setdefault(key, _Probe())
        probe.latencies.add(sample.latency_ms)
        probe.succeeded += sample.ok
        probe.failed += not sample.ok
        probe.last_error = sample.error or probe.last_error

    def told(self) -> tuple[ProbeTold, ...]:
        """Each target, in the order in which they were looked at first."""
        return tuple(
            ProbeTold(
                scenario=scenario,
                target=target,
                succeeded=probe.succeeded,
                failed=probe.failed,
                last_error=probe.last_error,
                latency=probe.latencies.told(),
            )
            for (scenario, target), probe in self._probes.items()
        )
