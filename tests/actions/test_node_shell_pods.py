"""The pods that commands go through, in a run's journal."""

import pytest
from msgspec.structs import replace

from seatrial.actions import node_shell_pods
from seatrial.actions.node_shell_pods import DELETE_SHELL_POD, keep_books
from seatrial.kube.objects import PartialObject
from seatrial.kube.resources import PODS
from seatrial.remote.node_shell import NodeShell
from seatrial.remote.node_shell_pod import ShellSettings, shell_pod
from seatrial.runtime.events import UndoWritten
from seatrial.runtime.journal import RunEntry


class Books:
    """What an executor is handed."""

    name = "books"

    def keep_books(self, books):
        self.books = books


@pytest.fixture
async def context(on_cluster):
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    return on_cluster.context


def body(node="n1", run="run-1"):
    return shell_pod(node, ShellSettings(), name="shell-1", labels={"seatrial.io/run": run})


async def made(context, **given):
    """A pod whose deletion stands in the journal; answers its undo's arguments."""
    executor = Books()
    keep_books(_with(context, executor))
    await executor.books.write_down(body(**given))
    await context.cluster.create(PODS, body(**given))
    return context.journal.newer_than(0)[0].undo.args


def _with(context, executor):
    return replace(context, executor=executor)


async def test_its_deletion_is_written_down_with_the_command_for_a_person(context, on_cluster):
    """By the labels of the run; an entry whose pod was never made is taken back."""
    executor = Books()
    keep_books(_with(context, executor))
    assert (executor.books.run_id, executor.books.labels) == ("run-1", {"seatrial.io/run": "run-1"})
    assert executor.books.protected == context.settings.guardrails.protected
    strike_out = await executor.books.write_down(body())
    (written,) = context.journal.newer_than(0)
    assert written.undo.kind == DELETE_SHELL_POD.kind
    assert written.undo.description == "delete the pod for commands on node n1"
    assert written.undo.manual == "kubectl delete pod shell-1 -n kube-system"
    await strike_out()
    assert context.journal.newer_than(0) == []
    assert [event.description for event in await on_cluster.events() if isinstance(event, UndoWritten)]


async def test_an_executor_that_makes_nothing_has_no_books(context):
    """There is nothing to hand it."""
    keep_books(context)
    assert not hasattr(context.executor, "books")
    keep_books(_with(context, NodeShell(context.cluster, ShellSettings())))


async def test_the_undo_deletes_the_runs_pod_and_may_be_repeated(context, monkeypatch):
    """A node that does not answer can't confirm it: the pod is taken out of the API, and that is said."""
    monkeypatch.setattr(node_shell_pods, "_GRACEFUL_SECONDS", 0.2)
    args = await made(context)
    note = await DELETE_SHELL_POD.run(args, context.world)
    assert note == "node n1 does not answer; its kubelet ends the pod when it is back"
    assert (await context.cluster.list(PODS, namespace="kube-system", type=PartialObject)).items == []
    assert await DELETE_SHELL_POD.run(args, context.world) == ""


async def test_somebody_elses_pod_of_that_name_is_left_alone(context):
    """The label says whose it is."""
    await context.cluster.create(PODS, body(run="another"))
    args = {"name": "shell-1", "namespace": "kube-system", "run": "run-1", "node": "n1"}
    assert await DELETE_SHELL_POD.run(args, context.world) == "somebody else's by now"
    assert len((await context.cluster.list(PODS, namespace="kube-system", type=PartialObject)).items) == 1
