"""The rounds of a run: each in few words, the worst ones in detail, and what they come to by scenario."""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from seatrial.report.run_report.model import RoundDetail, RoundTold, ScenarioTold
from seatrial.report.run_report.story import Story
from seatrial.runtime.events import Record, RunFinished, SampleTaken, ScenarioFinished, ScenarioStarted
from seatrial.runtime.verdict import Verdict
from seatrial.storage.records import ScenarioRun

_MOST_DETAILS = 8
_MOST_REASONS = 20
_MOST_COUNTED = 1000
_LONGEST_REASON = 500
_SEVERITY = {Verdict.PASSED: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAILED: 2}


class StoryCollector:
    """Takes in all events: those of the round that is under way are kept until it is clear how bad it was."""

    def __init__(self) -> None:
        self.descriptions: dict[str, str] = {}
        self._story: Story | None = None
        self._worst: list[tuple[tuple[float, ...], int, Story]] = []
        self._finished = 0

    def add(self, record: Record) -> None:
        """Take in one event."""
        match record.event:
            case ScenarioStarted(name=name, description=description):
                self._story = Story(record, name=name)
                self.descriptions[name] = description
            case ScenarioFinished() as finished:
                self._finish(finished, record)
            case RunFinished():
                self._story = None
            case _ if self._story is not None:
                self._story.add(record)

    def add_sample(self, sample: SampleTaken) -> None:
        """Take in a sample of the round that is under way."""
        if self._story is not None:
            self._story.add_sample(sample)

    def _finish(self, finished: ScenarioFinished, record: Record) -> None:
        story, self._story = self._story, None
        if story is None:
            return
        self._finished += 1
        story.finish(record, finished)
        badness = (_SEVERITY[finished.verdict], *story.badness)
        # Of rounds that are equally bad the first ones are told.
        heapq.heappush(self._worst, (badness, -self._finished, story))
        if len(self._worst) > _MOST_DETAILS:
            heapq.heappop(self._worst)

    def details(self) -> tuple[RoundDetail, ...]:
        """All rounds where there are few; else the worst ones, and in any case the one under way; in order."""
        chosen = sorted((-order, story) for _, order, story in self._worst)
        stories = [story for _, story in chosen] + ([self._story] if self._story else [])
        return tuple(story.told() for story in stories)


class _Scenario(msgspec.Struct):
    verdicts: Counter[Verdict] = msgspec.field(default_factory=Counter)
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    seconds: float = 0.0


def rounds_told(runs: Iterable[ScenarioRun]) -> tuple[RoundTold, ...]:
    """All rounds, in order."""
    return tuple(
        RoundTold(
            round=each.round,
            scenario=each.scenario,
            verdict=each.verdict,
            reasons=tuple(reason[:_LONGEST_REASON] for reason in each.reasons),
            started=datetime.fromtimestamp(each.started, UTC).isoformat(timespec="milliseconds"),
            seconds=round(each.duration_ms / 1000, 3),
        )
        for each in runs
    )


def scenarios_told(rounds: Sequence[RoundTold], descriptions: dict[str, str]) -> tuple[ScenarioTold, ...]:
    """The scenarios, in the order in which they began first."""
    found: dict[str, _Scenario] = {name: _Scenario() for name in descriptions}
    for each in rounds:
        scenario = found.setdefault(each.scenario, _Scenario())
        scenario.verdicts[each.verdict] += 1
        scenario.seconds += each.seconds
        known = scenario.reasons
        known.update(reason for reason in each.reasons if reason in known or len(known) < _MOST_COUNTED)
    return tuple(
        ScenarioTold(
            name=name,
            description=descriptions.get(name, ""),
            passed=each.verdicts[Verdict.PASSED],
            failed=each.verdicts[Verdict.FAILED],
            inconclusive=each.verdicts[Verdict.INCONCLUSIVE],
            seconds=round(each.seconds, 3),
            reasons=dict(each.reasons.most_common(_MOST_REASONS)),
        )
        for name, each in found.items()
    )
