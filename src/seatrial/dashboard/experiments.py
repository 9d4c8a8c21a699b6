"""Which experiments others run on this cluster: what the journal here knows of, and objects that a run holds.

A run marks each object that it changes with its id. So what is at work from another machine can be seen, too.
"""

from collections.abc import Mapping, Sequence

import msgspec

from seatrial.engine.leftovers import find_leftovers
from seatrial.errors import SeatrialError
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.runtime.journal import JournaledRun


class Others(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of this machine in words, objects by the runs that hold them, and what could not be seen."""

    runs: Sequence[str] = ()
    marked: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    unseen: Sequence[str] = ()


async def runs_here(context: Context) -> Sequence[str]:
    """The other runs on this cluster that the journal knows: at work, or with something left to undo.

    Raises:
        StateError: the journal can't be read.
    """
    runs = await context.journal.journal.runs()
    server = context.cluster.server
    others = [run for run in runs if run.entry.server == server and run.entry.id != context.run_id]
    return [_in_words(run) for run in others if run.open_undos or not run.sighting.is_dead]


async def marked_objects(context: Context) -> tuple[Mapping[str, Sequence[str]], Sequence[str]]:
    """The objects that other runs hold, by run, and the kinds that could not be listed or why nothing could.

    It lists every kind of object on the cluster by a label: not to be asked all the time.
    """
    try:
        leftovers = await find_leftovers(context.cluster, known={context.run_id})
    except SeatrialError as error:
        return {}, [error.message]
    marked: dict[str, list[str]] = {}
    for each in leftovers.found:
        marked.setdefault(each.run, []).append(each.what)
    unread = len(leftovers.unread)
    return marked, [f"{counted(unread, 'kind')} of objects that may not be listed"] if unread else []


def _in_words(run: JournaledRun) -> str:
    undos = f", {counted(run.open_undos, 'change')} to undo" if run.open_undos else ""
    return f"run {run.entry.id} of {run.entry.policy} by {run.who}{undos}: {run.sighting}"
