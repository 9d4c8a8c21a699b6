"""The probes of steady states over all rounds: samples, outages, and how available the system was by them.

How many samples failed is known of each minute; where events are kept, of each round as well, and samples of a round
belong together when it comes to how sure one can be.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from seatrial.report.run_report.latencies import of_counts
from seatrial.report.run_report.model import AvailabilityTold, Outage, SamplesThen
from seatrial.report.run_report.parts import in_parts, length_for
from seatrial.runtime.events import OutageSeen, Record, SteadyStateLost, SteadyStateSampled
from seatrial.slo.clustered import ratio_bounds
from seatrial.slo.series import Count
from seatrial.storage.records import ProbeMinute, RunRecord

_CONFIDENCE = 0.95
_MOST_OUTAGES = 20

_Key = tuple[str, str]


class _Probe(msgspec.Struct):
    rounds: list[Count] = msgspec.field(default_factory=list)
    outages: int = 0
    longest: float = 0.0
    worst: list[tuple[float, int, Outage]] = msgspec.field(default_factory=list)
    reason: str = ""


class AvailabilityCollector:
    """Takes in what was told of the samples: outages, and the figures of each round."""

    def __init__(self) -> None:
        self._probes: defaultdict[_Key, _Probe] = defaultdict(_Probe)

    def add(self, record: Record) -> None:
        """Take in one event."""
        scenario = record.where.scenario
        match record.event:
            case SteadyStateLost(probe=name, reason=reason):
                self._probes[scenario, name].reason = reason
            case OutageSeen(probe=name) as outage:
                _add_outage(self._probes[scenario, name], outage, round_number=record.where.round)
            case SteadyStateSampled(probe=name) as sampled:
                _add_round(self._probes[scenario, name], sampled, record)

    def told(self, minutes: Iterable[ProbeMinute], run: RunRecord) -> tuple[AvailabilityTold, ...]:
        """Each probe of each scenario, by name."""
        by_probe: defaultdict[_Key, list[ProbeMinute]] = defaultdict(list)
        for minute in minutes:
            by_probe[minute.scenario, minute.probe].append(minute)
        keys = sorted({*self._probes, *by_probe})
        return tuple(_told(key, self._probes[key], by_probe[key], run) for key in keys)


def _add_outage(probe: _Probe, seen: OutageSeen, *, round_number: int) -> None:
    probe.outages += 1
    probe.longest = max(probe.longest, seen.seconds)
    outage = Outage(
        round=round_number,
        started=datetime.fromtimestamp(seen.began, UTC).isoformat(timespec="milliseconds"),
        seconds=round(seen.seconds, 3),
        is_open=seen.is_open,
        reason=probe.reason,
    )
    heapq.heappush(probe.worst, (seen.seconds, -probe.outages, outage))
    if len(probe.worst) > _MOST_OUTAGES:
        heapq.heappop(probe.worst)


def _add_round(probe: _Probe, sampled: SteadyStateSampled, record: Record) -> None:
    good = sampled.samples - sampled.failed - sampled.unseen
    at = record.time.timestamp()
    probe.rounds.append(Count(good=good, bad=sampled.failed, at=at, round=record.where.round))
    probe.longest = max(probe.longest, sampled.longest_outage_seconds)


def _told(key: _Key, probe: _Probe, minutes: list[ProbeMinute], run: RunRecord) -> AvailabilityTold:
    scenario, name = key
    good, bad = sum(each.ok for each in minutes), sum(each.failed for each in minutes)
    unseen = sum(each.unseen for each in minutes)
    told_by_rounds = sum(each.good + each.bad for each in probe.rounds)
    clusters = (
        probe.rounds if 2 * told_by_rounds > good + bad else [Count(each.ok, each.failed, each.at) for each in minutes]
    )
    ratio = ratio_bounds(clusters, confidence=_CONFIDENCE) if good + bad else None
    latencies: Counter[float] = Counter()
    for minute in minutes:
        for milliseconds, count in minute.latencies.values():
            latencies[milliseconds] += count
    return AvailabilityTold(
        scenario=scenario,
        probe=name,
        samples=good + bad + unseen,
        failed=bad,
        unseen=unseen,
        share=good / (good + bad) if good + bad else None,
        lower=ratio.lower if ratio else None,
        upper=ratio.upper if ratio else None,
        outages=probe.outages,
        longest_outage_seconds=round(probe.longest, 3),
        course=tuple(_course(minutes, run)),
        worst_outages=tuple(outage for _, _, outage in sorted(probe.worst, reverse=True)),
        latency=of_counts(latencies),
    )


def _course(minutes: list[ProbeMinute], run: RunRecord) -> Iterator[SamplesThen]:
    """In parts of whole minutes: more is not kept of what is old."""
    length = length_for((run.ended or run.seen) - run.started, shortest=60)
    for start, part in in_parts(((each.at - run.started, each) for each in minutes), length=length):
        yield SamplesThen(
            start_seconds=max(start, 0.0),
            end_seconds=start + length,
            ok=sum(each.ok for each in part),
            failed=sum(each.failed for each in part),
            unseen=sum(each.unseen for each in part),
        )
