"""Writes Kubernetes Events beside a run: when an experiment begins on its targets, each fault, and how it ended."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

from seatrial.errors import ClusterError
from seatrial.runtime.context import Context
from seatrial.runtime.events import (
    Event,
    NodesChosen,
    Record,
    ScenarioFinished,
    ScenarioStarted,
    TargetsChosen,
    UndoFailed,
)
from seatrial.runtime.events.following import Following
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.cluster_events.notes import FAULTS, Kind, Note, OwnerOf, Subject, notes_of
from seatrial.telemetry.cluster_events.subjects import Reference, Subjects
from seatrial.telemetry.cluster_events.writer import EventWriter

_log = logging.getLogger("seatrial.kubernetes_events")

_LAST_SECONDS = 5.0
_MOST_TARGETS = 50
_COURSE: frozenset[type[Event]] = frozenset({NodesChosen, ScenarioFinished, ScenarioStarted, TargetsChosen, UndoFailed})


@asynccontextmanager
async def writing_events(context: Context, *, instance: str) -> AsyncIterator[None]:
    """Write Events about what happens in the block; at its end, the last of them have a few seconds."""
    writer = EventWriter(context.cluster, run_id=context.run_id, instance=instance, clock=context.clock)
    following = Following(context.events, FAULTS | _COURSE)
    telling = asyncio.create_task(_Follower(context, writer).follow(following), name="Kubernetes Events")
    try:
        yield
    finally:
        await following.finish()
        await asyncio.wait({telling}, timeout=_LAST_SECONDS)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        writer.lose(following.lost)
        writer.close()


class _Follower:
    """Knows which owners and nodes the scenario that runs has chosen, so that they hear how it ended."""

    def __init__(self, context: Context, writer: EventWriter) -> None:
        self._writer = writer
        self._subjects = Subjects(context.cluster)
        self._targets: dict[Reference, Subject] = {}

    async def follow(self, following: Following) -> None:
        while (record := await following.next()) is not None:
            try:
                for note in self._notes(record):
                    await self._write(note, record)
            except Exception:  # noqa: BLE001 -- a defect of ours: what comes next is to be written all the same
                _log.exception("a Kubernetes Event could not be made")

    async def _write(self, note: Note, record: Record) -> None:
        try:
            about = await self._subjects.reference(note.about)
        except ClusterError as error:
            self._writer.fail(error)
            return
        if about is None:
            return
        if note.action == "StartExperiment":
            if about in self._targets or len(self._targets) >= _MOST_TARGETS:
                return
            self._targets[about] = note.about
        await self._writer.write(note, about, time=record.time, sequence=record.sequence)

    def _notes(self, record: Record) -> Iterator[Note]:
        name = record.where.scenario
        match record.event:
            case ScenarioStarted():
                self._targets.clear()
            case TargetsChosen(pods=pods):
                yield from _began(name, {OwnerOf(pod) if pod.owner else pod: None for pod in pods})
            case NodesChosen(nodes=nodes):
                yield from _began(name, nodes)
            case ScenarioFinished(verdict=verdict, reasons=reasons):
                why = f": {'; '.join(reasons)}" if reasons else ""
                kind: Kind = "Warning" if verdict is Verdict.FAILED else "Normal"
                yield from self._all("SeatrialExperimentFinished", f"Experiment '{name}' {verdict}{why}", kind)
            case UndoFailed(description=description, manual=manual):
                text = f"Clean-up failed: {description}. By hand: {manual}"
                yield from self._all("SeatrialCleanUpFailed", text, "Warning")
            case event:
                yield from notes_of(event)

    def _all(self, reason: str, text: str, kind: Kind) -> Iterator[Note]:
        action = "FinishExperiment" if reason == "SeatrialExperimentFinished" else "CleanUp"
        for subject in self._targets.values():
            yield Note(about=subject, reason=reason, action=action, text=text, kind=kind)


def _began(name: str, subjects: Iterable[Subject]) -> Iterator[Note]:
    text = f"Experiment '{name}' chose this as its target"
    for subject in subjects:
        yield Note(
            about=subject, reason="SeatrialExperimentStarted", action="StartExperiment", text=text, kind="Normal"
        )
