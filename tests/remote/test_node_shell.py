"""Commands on nodes through privileged pods, on a whole sandbox."""

import asyncio

import pytest

from seatrial.errors import CommandNotStarted, MachineError
from seatrial.kube.client import connect
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.remote.node_shell_pod import pod_name
from seatrial.remote.registry import find_executor
from seatrial.testing import sandbox_cluster
from tests.remote.shell_run import Run


@pytest.fixture(scope="module")
def sandbox():
    """Two machines."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=2)
        yield runner.run(block.__aenter__())
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
async def run(sandbox):
    """A run on the sandbox; its pods are taken away after the test."""
    async with await connect(kubeconfig=sandbox.kubeconfig) as cluster:
        made = Run(cluster)
        yield made
        await made.close()


# Running commands


async def test_a_command_runs_on_the_machine_and_its_output_comes_back(run):
    """Not in the pod: it sees what the machine's commands see. Exit code and both streams, line by line and as one."""
    heard = []
    await run.executor.require()
    done = await run.executor.run("node2", 'echo "on $NODE_NAME"; echo oh >&2; exit 3', heard=heard.append)
    assert (done.exit_code, done.output) == (3, "on node2\noh\n")
    assert heard == ["on node2", "oh"]
    sandbox_way = await find_executor("sandbox", run.cluster)
    assert (await sandbox_way.run("node2", "pwd")).output == (await run.executor.run("node2", "pwd")).output
    long = await run.executor.run("node2", "head -c 300000 /dev/zero | tr '\\0' x")
    assert "characters left out" in long.output


async def test_one_pod_serves_a_run_on_a_node(run):
    """Also where its commands come at once; it is written down before it is made (the books look)."""
    outputs = await asyncio.gather(*(run.executor.run(f"node{1 + n % 2}", f"echo {n}") for n in range(6)))
    assert [each.output for each in outputs] == [f"{n}\n" for n in range(6)]
    pods = await run.pods()
    assert sorted(run.written) == sorted(pods) == sorted(pod_name(node, "run-1") for node in ("node1", "node2"))
    assert {pod.spec.node_name for pod in pods.values()} == {"node1", "node2"}
    assert all(pod.metadata.labels["seatrial.io/run"] == "run-1" for pod in pods.values())


async def test_runs_do_not_share_pods(run):
    """Each takes its own away when it is over, and the other's is still there."""
    other = Run(run.cluster, "run-2")
    await asyncio.gather(run.executor.run("node1", "true"), other.executor.run("node1", "true"))
    assert len(await run.pods()) == 2
    await run.cluster.delete(PODS, run.written[0], namespace="kube-system", grace_period_seconds=0)
    assert (await other.executor.run("node1", "echo still")).output == "still\n"


async def test_a_command_that_takes_too_long_is_killed_on_the_node(run):
    """With all that it started."""
    with pytest.raises(MachineError, match="the command on node1 did not end within 1 s and was killed") as caught:
        await run.executor.run("node1", "echo $$ > overdue; sleep 1000 & wait", timeout_seconds=1)
    assert not isinstance(caught.value, CommandNotStarted)
    left = await run.executor.run("node1", "read pid < overdue; rm overdue; ls -d /proc/$pid")
    assert left.exit_code == 2


async def test_what_has_a_session_of_its_own_outlives_the_pod(run):
    """A dead-man timer is for the case that the pod, and all that reaches it, is gone."""
    command = (
        "said=$(setsid sh -c 'echo up; exec >/dev/null; while [ -e wanted ]; do sleep 0.1; done; touch mended'"
        " </dev/null 2>/dev/null &); echo $said"
    )
    assert (await run.executor.run("node1", f"touch wanted; {command}")).output == "up\n"
    await run.close()
    sandbox_way = await find_executor("sandbox", run.cluster)
    await sandbox_way.run("node1", "rm wanted")
    found = await sandbox_way.run("node1", "until [ -e mended ]; do sleep 0.1; done; rm mended; echo mended")
    assert found.output == "mended\n"


async def test_a_pod_that_is_gone_or_over_is_made_anew(run):
    """Somebody deleted it, or its time was over: the next command finds another, written down again."""
    await run.executor.run("node1", "true")
    name = run.written[0]
    await run.cluster.delete(PODS, name, namespace="kube-system", grace_period_seconds=0)
    assert (await run.executor.run("node1", "echo again")).output == "again\n"
    before = (await run.pods())[name].metadata.uid
    await run.cluster.patch(PODS, name, {"spec": {"activeDeadlineSeconds": 1}}, namespace="kube-system")
    watching = run.cluster.watch(PODS, namespace="kube-system", field_selector=f"metadata.name={name}", type=Pod)
    async with asyncio.timeout(60), watching as watch:
        while not (await anext(watch)).object.is_finished:
            pass
    assert (await run.executor.run("node1", "echo and again")).output == "and again\n"
    assert (await run.pods())[name].metadata.uid != before
    assert run.written == [name] * 3


async def test_another_process_of_the_run_takes_the_same_pod(run):
    """As one does that finishes the clean-up of a run that was killed."""
    await run.executor.run("node1", "true")
    recovering = Run(run.cluster)
    assert (await recovering.executor.run("node1", "echo here")).output == "here\n"
    assert recovering.written == []
    assert len(await run.pods()) == 1


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("example.org/nobody/none:1.0", "ErrImagePull"),
        ("UPPER CASE", "InvalidImageName"),
        ("shopify/toxiproxy", "sleep"),
    ],
    ids=["no such image", "no name", "no sleep in it"],
)
async def test_an_image_that_does_not_work_is_said_at_once(sandbox, image, reason):
    """Not after the whole of the waiting time; the pod is gone, so that another try begins anew."""
    async with await connect(kubeconfig=sandbox.kubeconfig) as cluster:
        run = Run(cluster, image=image)
        with pytest.raises(CommandNotStarted, match=f"the pod for commands on node1 does not start: .*{reason}"):
            async with asyncio.timeout(30):
                await run.executor.run("node1", "true")
        assert (len(run.written), run.struck_out) == (1, [])
        assert await run.pods() == {}


async def test_on_a_sandbox_the_sandboxs_own_way_is_taken(run):
    """Unless this one is named."""
    assert (await find_executor(None, run.cluster)).name == "sandbox"
    assert (await find_executor("node-shell", run.cluster)).name == "node-shell"
