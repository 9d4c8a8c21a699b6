"""Gathering a report from what a store keeps of a run: one pass over its events, whatever their number."""

from collections.abc import Iterator
from datetime import UTC, datetime

from seatrial.policy.wording import counted
from seatrial.report.run_report.availability import AvailabilityCollector
from seatrial.report.run_report.evidence import EvidenceCollector
from seatrial.report.run_report.measured import measured
from seatrial.report.run_report.mesh import MeshCollector
from seatrial.report.run_report.model import Figure, RoundTold, RunFacts, RunReport, UndoProblem, UndoTold
from seatrial.report.run_report.objectives import ObjectiveCollector
from seatrial.report.run_report.probes import ProbeCollector
from seatrial.report.run_report.reproduction import reproduction_of
from seatrial.report.run_report.rounds import StoryCollector, rounds_told, scenarios_told
from seatrial.report.run_report.warnings import WarningCollector
from seatrial.report.summary import Summary
from seatrial.runtime.events import Record, SampleTaken, UndoWritten
from seatrial.storage.records import RunRecord, RunState
from seatrial.storage.store import Store

_TOLD_ELSEWHERE = frozenset({"objective"})


class _Events:
    """All collectors of events, and the closing summary, which counts what they don't."""

    def __init__(self) -> None:
        self.summary = Summary()
        self.objectives = ObjectiveCollector()
        self.stories = StoryCollector()
        self.availability = AvailabilityCollector()
        self.probes = ProbeCollector()
        self.mesh = MeshCollector()
        self.evidence = EvidenceCollector()
        self.warnings = WarningCollector()
        self.undos = 0

    def add(self, record: Record) -> None:
        """Take in one event; most are samples, which say nothing to the others."""
        if isinstance(record.event, SampleTaken):
            self.stories.add_sample(record.event)
            return
        self.stories.add(record)
        self.summary(record)
        self.objectives.add(record)
        self.availability.add(record)
        self.probes.add(record)
        self.mesh.add(record, changed=self.summary.has_changed)
        self.evidence.add(record)
        self.warnings.add(record)
        self.undos += isinstance(record.event, UndoWritten)


def gather(run: RunRecord, store: Store) -> RunReport:
    """The report of a run, as far as it is there.

    Raises:
        StateError: the store can't be read.
    """
    events = _Events()
    for record in store.records(run.id):
        events.add(record)
    state = run.state
    rounds = rounds_told(store.scenario_runs(run.id))
    summary = events.summary
    return RunReport(
        run=_facts(run, events, rounds, state),
        verdict=run.verdict,
        reasons=run.reasons,
        exit_code=run.exit_code,
        incomplete=" ".join(_incomplete(run, state)),
        objectives=events.objectives.told(),
        scenarios=scenarios_told(rounds, events.stories.descriptions),
        figures=tuple(Figure(heading=head, text=text) for head, text in summary.lines() if head not in _TOLD_ELSEWHERE),
        measurements=tuple(measured(store.measurements(run.id), run, limits=events.objectives.limits)),
        availability=events.availability.told(store.sample_minutes(run.id), run),
        probes=events.probes.told(),
        mesh=events.mesh.told(summary.mesh),
        evidence=events.evidence.told(),
        undo=_undo(events),
        warnings=events.warnings.told(),
        rounds=rounds,
        details=events.stories.details(),
        policy_text=run.policy_text,
        reproduction=reproduction_of(run),
    )


def _facts(run: RunRecord, events: _Events, rounds: tuple[RoundTold, ...], state: RunState) -> RunFacts:
    started = events.summary.started
    return RunFacts(
        id=run.id,
        policy=run.policy,
        seed=run.seed,
        server=run.server,
        context=run.context,
        cluster=run.cluster,
        host=run.host,
        versions=dict(run.versions),
        state=state,
        started=_time(run.started),
        seen=_time(run.seen),
        ended=None if run.ended is None else _time(run.ended),
        seconds=round((run.ended or run.seen) - run.started, 3),
        rounds=max(run.rounds, max((each.round for each in rounds), default=0)),
        rounds_planned=started.rounds if started else None,
    )


def _incomplete(run: RunRecord, state: RunState) -> Iterator[str]:
    if state is RunState.RUNNING:
        yield "The run is still going on: this is what there is so far."
    if state is RunState.DIED:
        yield "The run died before its end: this is what was written until then."
        yield "seatrial recover undoes what it changed and did not put back."
    if run.events_from is not None:
        yield f"Of what happened before {_time(run.events_from)} only figures are kept."
    if run.lost:
        yield f"{counted(run.lost, 'event')} could not be kept."
    if run.redacted:
        yield f"{counted(run.redacted, 'secret')} of the policy {'is' if run.redacted == 1 else 'are'} left out."


def _undo(events: _Events) -> UndoTold:
    summary = events.summary
    return UndoTold(
        written=events.undos,
        done=summary.undone,
        left=tuple(summary.left_as_they_are),
        failed=tuple(
            UndoProblem(what=each.description, error=each.error, manual=each.manual) for each in summary.undo_failures
        ),
    )


def _time(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds")
