"""A person breaks things by hand on a whole cluster and leaves in every way there is: the cluster is as it was."""

import asyncio
import re
import signal
import sys

import pytest
import yaml

from seatrial.kube.client import connect
from seatrial.kube.resources import DEPLOYMENTS, NODES
from tests.processes import processes_that_mention
from tests.shell.terminals import CTRL_D, ENTER, Terminal

_LIMIT_SECONDS = 90

# Python 3.12 warns of forks where there are threads; the child executes the program at once.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning"),
    pytest.mark.timeout(240),
]

_MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: busybox, command: [sleep, "3600"]}]
"""


@pytest.fixture(scope="module")
def with_web(cluster):
    """The cluster, with a Deployment `web` of two replicas."""

    async def make():
        async with await connect(kubeconfig=cluster.kubeconfig) as client:
            await client.create(DEPLOYMENTS, yaml.safe_load(_MANIFEST), namespace="default")
            async with client.watch(DEPLOYMENTS, namespace="default", field_selector="metadata.name=web") as watch:
                async for event in watch:
                    if event.object.get("status", {}).get("readyReplicas") == 2:
                        return

    asyncio.run(asyncio.wait_for(make(), _LIMIT_SECONDS))
    return cluster


@pytest.fixture
async def state(with_web):
    """How many replicas `web` wants, and how many nodes are cordoned; in the end as in the beginning."""
    async with await connect(kubeconfig=with_web.kubeconfig) as client:

        async def read():
            web = await client.get(DEPLOYMENTS, "web", namespace="default")
            nodes = (await client.list(NODES)).items
            return web["spec"]["replicas"], sum(bool(each["spec"].get("unschedulable")) for each in nodes)

        yield read
        assert await read() == (2, 0)


@pytest.fixture
def window(with_web, tmp_path):
    """Opens a window with a shell on that cluster."""
    command = [sys.executable, "-m", "seatrial", "interactive", "--kubeconfig", str(with_web.kubeconfig)]
    environ = {"HOME": str(tmp_path), "SEATRIAL_STATE_DIR": str(tmp_path / "state"), "PATH": "/usr/bin:/bin"}
    return lambda *arguments: Terminal([*command, *arguments], environ=environ, columns=100, lines=40)


async def until(read, wanted):
    """Return when what is read is as wanted."""
    async with asyncio.timeout(_LIMIT_SECONDS):
        while await read() != wanted:  # noqa: ASYNC110 -- the API server is asked
            await asyncio.sleep(0.05)


async def break_things(window, state):
    """Scale the Deployment and cordon a node, as a person does: look at what would be hit, say yes."""
    await window.until("namespace default")
    await window.at_prompt()
    window.type(f"scale deployment/web 3{ENTER}")
    await window.until("[y/N]")
    window.type(f"y{ENTER}")
    await until(state, (3, 0))
    await window.until("'undo' takes it back")
    await window.at_prompt()
    window.type(f"cordon node1 --yes{ENTER}")
    await until(state, (3, 1))
    await window.until("2 to undo")
    await window.at_prompt()


@pytest.mark.parametrize("way", ["exit", "Ctrl-D", "closed window", signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
async def test_whoever_leaves_leaves_the_cluster_as_it_was(window, state, tmp_path, way):
    """Typed, by a key, by closing the window, by signals, and by a death that nobody hears of in time."""
    async with window() as shell:
        await break_things(shell, state)
        if way == "exit":
            shell.type(f"exit{ENTER}")
        elif way == "Ctrl-D":
            shell.type(CTRL_D)
        elif way == "closed window":
            shell.hang_up()
        else:
            shell.signal(way)
        await until(state, (2, 0))
        code = await shell.ended()
    if way in {"exit", "Ctrl-D"}:
        assert code == 0
    await until(lambda: asyncio.to_thread(processes_that_mention, str(tmp_path)), [])


async def test_what_is_kept_is_taken_back_by_its_name(window, state, on_cluster, tmp_path):
    """`exit --keep` leaves it, a run of another Seatrial too, and the command that the shell says takes it back."""
    async with window() as shell:
        await break_things(shell, state)
        shell.type(f"exit --keep{ENTER}")
        assert await shell.ended() == 0
        [run] = re.findall(r"seatrial recover --run (\w+)", shell.shown)
    assert await state() == (3, 1)
    here = ["--state-dir", tmp_path / "state"]
    done = await asyncio.to_thread(on_cluster.run, "interactive", *here, "-c", "nodes")
    assert (done.returncode, await state()) == (0, (3, 1)), done.stderr
    assert "kept on purpose" in (await asyncio.to_thread(on_cluster.run, "recover", "--list", *here)).stdout
    done = await asyncio.to_thread(on_cluster.run, "recover", "--run", run, *here)
    assert (done.returncode, await state()) == (0, (2, 0)), done.stdout


async def test_a_sandbox_dies_with_its_shell(program, tmp_path):
    """A shell on a cluster of its own needs no guardian: killed, it leaves neither processes nor files."""
    shell = program.start("interactive", "--sandbox", "-c", "cordon node1 --yes; watch pods")
    while "cordoned" not in (line := await asyncio.to_thread(shell.stdout.readline)):
        assert line, await asyncio.to_thread(shell.stderr.read)
    assert not [each for each in processes_that_mention(str(tmp_path)) if "guardian" in " ".join(each.cmdline())]
    shell.kill()
    await until(lambda: asyncio.to_thread(processes_that_mention, str(tmp_path)), [])
    assert list((tmp_path / "sandboxes").glob("*")) == []
