"""What runs left behind and what became of it, for people and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seatrial.engine.leftovers import Leftovers
from seatrial.engine.recover import Finished
from seatrial.policy.wording import printable
from seatrial.runtime.journal import JournaledRun, WrittenUndo


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """The runs that left something, their open undos by run, and what became of them.

    `finished` is empty where nothing was tried. `leftovers` are those that the journal doesn't know, the reason why
    they can't be seen, or None where nobody asked.
    """

    runs: tuple[JournaledRun, ...] = ()
    undos: Mapping[str, Sequence[WrittenUndo]] = field(default_factory=dict)
    finished: Mapping[str, Finished] = field(default_factory=dict)
    leftovers: Leftovers | str | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether something that was tried could not be undone."""
        return any(each.failures for each in self.finished.values())

    def is_left_alone(self, run_id: str) -> bool:
        """Whether a run was not touched."""
        return bool(self.finished[run_id].left_alone)

    def as_json(self) -> dict[str, Any]:
        """The report as `--output json` prints it."""
        return {
            "runs": [self._run_as_json(run) for run in self.runs],
            "leftovers": [
                {"run": each.run, "what": each.what, "created": each.created, "manual": each.manual}
                for each in (self.leftovers.found if isinstance(self.leftovers, Leftovers) else ())
            ],
            "notSearched": list(self._not_searched()),
        }

    def outcome(self, run: JournaledRun) -> str:
        """What became of a run's undos: open, kept (on purpose), undone, incomplete, left alone."""
        finished = self.finished.get(run.entry.id)
        if finished is None:
            return "kept" if run.kept else "open"
        if finished.left_alone:
            return "left alone"
        return "incomplete" if finished.failures else "undone"

    def _run_as_json(self, run: JournaledRun) -> dict[str, Any]:
        finished = self.finished.get(run.entry.id, Finished())
        return {
            "run": run.entry.id,
            "policy": run.entry.policy,
            "started": run.started,
            "by": run.who,
            "host": run.process.host,
            "pid": run.process.pid,
            "server": run.entry.server,
            "context": run.entry.context,
            "state": run.sighting.liveness.value,
            "seen": str(run.sighting),
            "outcome": self.outcome(run),
            "leftAlone": finished.left_alone,
            "failures": list(finished.failures),
            "undos": [{"what": each.undo.description, "manual": each.undo.manual} for each in self.undos[run.entry.id]],
        }

    def _not_searched(self) -> Iterator[str]:
        if isinstance(self.leftovers, str):
            yield self.leftovers
        elif self.leftovers is not None:
            yield from self.leftovers.unread


def recovery_lines(report: RecoveryReport) -> list[str]:
    """The report for people."""
    return [printable(line) for line in _lines(report)]


def _lines(report: RecoveryReport) -> Iterator[str]:
    if not report.runs:
        yield "no run in this journal left anything behind"
    for run in report.runs:
        entry = run.entry
        where = f"{entry.server}{f' (context {entry.context})' if entry.context else ''}"
        yield f"run {entry.id} of {entry.policy}, started {run.started} by {run.who}, on {where}: {run.sighting}"
        outcome = report.outcome(run)
        if outcome == "undone":
            yield f"  all undone: {len(report.undos[run.entry.id])}"
            continue
        for written in report.undos[run.entry.id]:
            yield f"  {written.undo.description}"
            yield f"    by hand: {written.undo.manual}"
        finished = report.finished.get(run.entry.id, Finished())
        yield from (f"  NOT undone: {each}" for each in finished.failures)
        if finished.left_alone:
            yield f"  left alone: {finished.left_alone}"
        if outcome == "kept":
            yield f"  kept on purpose; take it back: seatrial recover --run {entry.id}"
    yield from _leftover_lines(report.leftovers)


def _leftover_lines(leftovers: Leftovers | str | None) -> Iterator[str]:
    if isinstance(leftovers, str):
        yield f"the cluster was not searched for what other journals know: {leftovers}"
    if not isinstance(leftovers, Leftovers):
        return
    if leftovers.found:
        yield "on the cluster, of runs that this journal doesn't know (at work elsewhere, or their journal is lost):"
    for each in leftovers.found:
        yield f"  {each.what}, {'made' if each.created else 'changed'} by run {each.run}"
        yield f"    {'by hand' if each.created else 'look at it, then'}: {each.manual}"
    if leftovers.unread:
        yield f"not searched, for they could not be listed: {', '.join(leftovers.unread)}"
