"""Running a command on machines, where it does not get there."""

import pytest
from msgspec.structs import replace

from seatrial.actions.nodes.execute import Execute, run
from seatrial.errors import CommandNotStarted, MachineError
from seatrial.kube.resources import NODES
from seatrial.remote.executor import CommandResult
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.targets.nodes import list_targets


class Road:
    """An executor: what becomes of each command, in turn."""

    name = "road"

    def __init__(self, *ends):
        self._ends = list(ends)

    async def run(self, node, command, *, timeout_seconds=60, heard=None):
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    async def by_hand(self, node, command):
        return f"on {node}: {command}"


@pytest.fixture
async def executed(control, on_cluster):
    """Runs the action on one node; answers the outcome and what stands in the journal."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    await control.cluster.create(NODES, {"metadata": {"name": "a"}})

    async def of(*ends, **spec):
        context = replace(on_cluster.context, executor=Road(*ends))
        targets, _ = await list_targets(context, needs_machines=False)
        outcome = await run(Execute(cmd="break it", undo="mend it", **spec), targets, context)
        return outcome, [each.undo.description for each in context.journal.newer_than(0)]

    return of


DONE = CommandResult(exit_code=0, output="")
UNDO = ["run on node a: mend it"]
CLOSED = CommandNotStarted("the pod does not start", hint="look at it")


async def test_a_command_that_has_certainly_not_begun_leaves_no_undo(executed):
    """Clean-up would go the same way in vain, and call itself incomplete over nothing."""
    outcome, undos = await executed(CLOSED)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("the command could not be run on node a: the pod does not start (look at it)",)
    assert undos == []


async def test_a_command_that_may_have_begun_is_undone(executed):
    """Nobody knows what became of it."""
    outcome, undos = await executed(MachineError("it took too long"))
    assert (outcome.verdict, undos) == (Verdict.INCONCLUSIVE, UNDO)


async def test_without_its_timer_a_command_is_not_run(executed):
    """One that was certainly not armed leaves nothing; one that may have been is undone."""
    outcome, undos = await executed(CLOSED, expires_after=60)
    assert outcome.reasons == (
        "the command was not run on node a: its timer could not be started: the pod does not start (look at it)",
    )
    assert undos == []
    outcome, undos = await executed(CommandResult(exit_code=65, output="no sleep\n"), expires_after=60)
    assert outcome.reasons == ("the command was not run on node a: its timer could not be started: no sleep",)
    assert undos == []
    outcome, undos = await executed(MachineError("no word came"), expires_after=60)
    assert "it is not known whether its timer was started: no word came" in outcome.reasons[0]
    assert undos == UNDO


async def test_an_armed_timer_is_disarmed_by_its_undo_though_the_command_never_began(executed):
    """The timer is there, whatever became of the command."""
    outcome, undos = await executed(DONE, CLOSED, expires_after=60)
    assert (outcome.verdict, undos) == (Verdict.INCONCLUSIVE, UNDO)
