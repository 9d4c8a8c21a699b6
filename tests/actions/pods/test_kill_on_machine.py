"""The action `kill` where pods are killed by their containers, on the machines that they run on."""

from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from seatrial.actions.pods import container_end, kill_on_machine
from seatrial.actions.pods.kill import ACTION, Kill, plan, run
from seatrial.errors import UsageError
from seatrial.kube.errors import Unreachable
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.remote.registry import find_executor
from seatrial.runtime.context import Settings
from seatrial.runtime.events import (
    ContainerRestarted,
    ContainerSignalled,
    FaultProven,
    PodKilled,
    PodKillSkipped,
    ProofMissing,
)
from seatrial.runtime.verdict import Verdict

# A container of the sandbox is processes of its machine that know its id.
BY_ENVIRONMENT = (
    "found=1; signal={signal}; for each in /proc/[0-9]*; do if tr '\\0' '\\n' < $each/environ |"
    " grep -qx SEATRIAL_CONTAINER_ID={container_id}; then kill -s ${{signal#SIG}} ${{each#/proc/}} && found=0; fi;"
    " done; exit $found"
)
TWO = {
    "containers": [
        {
            "name": name,
            "image": "busybox:1.36",
            "command": ["sh", "-c", "touch /tmp/up; sleep 3600"],
        }
        for name in ("main", "side")
    ]
}


@pytest.fixture
async def over(whole):
    """Makes a context in which pods are killed by a command on their machines."""

    async def context(command=BY_ENVIRONMENT):
        executor = await find_executor(None, whole.cluster)
        settings = Settings(kill_command=command, recovery_timeout_seconds=60)
        return replace(whole.context, executor=executor, settings=settings)

    return context


def told(events, kind):
    return [event for event in events if isinstance(event, kind)]


async def test_all_containers_of_a_pod_are_killed_and_run_again(whole, over):
    """The pod stays; the end of each container, and its return, are seen from outside."""
    [pod] = await whole.deploy("web", pod=TWO)
    context = await over()
    assert (await run(Kill(force=True), (pod,), context)).passed
    assert (await context.scope.settle(timeout_seconds=60)).passed
    after = await whole.cluster.get(PODS, pod.metadata.name, namespace=whole.namespace, type=Pod)
    assert after.metadata.uid == pod.metadata.uid
    assert [each.restart_count for each in after.status.container_statuses] == [1, 1]
    events = list(await whole.events())
    [killed] = told(events, PodKilled)
    assert (killed.on_machine, killed.force, killed.replaced) == (after.spec.node_name, True, False)
    signals = [(each.container, each.signal, each.via) for each in told(events, ContainerSignalled)]
    assert signals == [("main", "SIGKILL", "sandbox"), ("side", "SIGKILL", "sandbox")]
    assert [each.proof.partition(";")[0] for each in told(events, FaultProven)] == ["it ended with exit code 137"] * 2
    assert {each.container for each in told(events, ContainerRestarted)} == {"main", "side"}


async def test_without_force_it_is_sigterm(whole, over):
    """The container's program handles it, as it would when the pod is deleted."""
    [pod] = await whole.deploy("web")
    context = await over()
    assert (await run(Kill(), (pod,), context)).passed
    [proof] = told(await whole.events(), FaultProven)
    assert proof.proof.startswith("it ended with exit code 3")


async def test_a_container_that_goes_on_is_no_kill(whole, over, monkeypatch):
    """A command that ends well is no proof: the verdict is open, and no pod is counted as killed."""
    monkeypatch.setattr(kill_on_machine, "_END_SECONDS", 0.5)
    [pod] = await whole.deploy("web")
    outcome = await run(Kill(force=True), (pod,), await over("true {container_id}"))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "it was not seen to end within 0.5 s of SIGKILL" in outcome.reasons[0]
    events = list(await whole.events())
    assert told(events, ProofMissing)
    assert told(events, PodKilled) == []
    assert [each.error for each in told(events, PodKillSkipped)] == [True]


class LostWatch:
    """A watch that was there for the first look, and then is not."""

    def __init__(self, snapshot):
        self.snapshot = snapshot

    async def __aiter__(self):
        raise Unreachable("the API server is gone")
        yield


async def test_an_end_that_nobody_could_see_is_told_with_the_reason(whole, over, monkeypatch):
    """At once: there is nothing to wait for."""

    @asynccontextmanager
    async def watch_pod(ref, cluster):
        async with container_end.watch_pod(ref, cluster) as watch:
            yield LostWatch(watch.snapshot)

    monkeypatch.setattr(kill_on_machine, "watch_pod", watch_pod)
    [pod] = await whole.deploy("web")
    outcome = await run(Kill(force=True), (pod,), await over())
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "it was not seen to end: the API server is gone" in outcome.reasons[0]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo no such container {container_id} >&2; exit 4", "container main: no such container"),
        ("", "how containers of seatrial are killed is not known (say it: --ssh-kill-command)"),
    ],
    ids=["fails", "unknown runtime"],
)
async def test_a_kill_that_can_not_be_done_is_said(whole, over, command, said):
    """And counted as one that failed; the containers run on."""
    [pod] = await whole.deploy("web")
    outcome = await run(Kill(force=True), (pod,), await over(command))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert said in outcome.reasons[0]
    [skipped] = told(await whole.events(), PodKillSkipped)
    assert skipped.error


async def test_a_pod_that_was_replaced_meanwhile_is_left_alone(whole, over):
    """The pod that was chosen is meant, not its name."""
    [pod] = await whole.deploy("web")
    await whole.cluster.delete(PODS, pod.metadata.name, namespace=whole.namespace, grace_period_seconds=0)
    outcome = await run(Kill(force=True), (pod,), await over())
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "was gone before the kill arrived" in outcome.reasons[0]


async def test_the_plan_says_where_commands_would_run(whole, over):
    """And touches nothing."""
    [pod] = await whole.deploy("web")
    [change] = (await plan(Kill(), (pod,), await over())).changes
    assert change == f"kill the containers of pod {whole.namespace}/{pod.metadata.name} by a command on its machine"
    assert told(await whole.events(), ContainerSignalled) == []


async def test_the_machines_of_a_sandbox_are_not_reached_over_ssh(whole):
    """Their addresses are those of the machine that the tests run on: who answers there is somebody else."""
    with pytest.raises(UsageError, match="the sandbox's machines have no SSH servers"):
        await find_executor("ssh", whole.cluster)


async def test_without_a_way_to_machines_nothing_begins(control, on_cluster):
    """Neither the scenario, nor the action by itself."""
    await control.create_pods("a")
    pods = tuple((await control.cluster.list(PODS, namespace="default", type=Pod)).items)
    context = replace(on_cluster.context, settings=Settings(kill_command=""))
    [unmet] = await ACTION.unmet_needs(Kill(), context)
    assert "no way to run commands" in unmet
    assert (await run(Kill(), pods, context)).reasons == (unmet,)
    assert (await plan(Kill(), pods, context)).refused == (unmet,)
    assert await control.pod_names() == ["a"]
