"""What keeps commands from getting to a node through a pod: said in one line, before anything else is waited for."""

import asyncio
import shlex

import pytest

from seatrial.errors import CommandNotStarted, MachineError
from seatrial.kube.resources import NAMESPACES, PODS
from seatrial.remote import node_shell
from seatrial.remote.books import Books
from seatrial.remote.node_shell import NodeShell
from seatrial.remote.node_shell_pod import ShellSettings, pod_name, shell_pod
from seatrial.remote.registry import LazyExecutor, find_executor
from tests.kube.channels import kubelet, unverified_client
from tests.kube.fake_apiserver import answer, pod_list, serving, status
from tests.remote.shell_run import Run


async def node(control, name, *, ready="True", **labels):
    conditions = [{"type": "Ready", "status": ready}]
    await control.server.api.create(
        "nodes", {"metadata": {"name": name, "labels": labels}, "status": {"conditions": conditions}}
    )


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, "there is no node n1"),
        ({"ready": "Unknown"}, "n1 is not Ready, and its kubelet has to start the pod"),
        ({"kubernetes.io/os": "windows"}, "n1 runs Windows"),
    ],
    ids=["no node", "not Ready", "Windows"],
)
async def test_a_node_that_can_not_start_it_is_refused_before_a_pod_is_made(control, made, message):
    """What is certain from the Node is not waited for, nor written down."""
    if made is not None:
        await node(control, "n1", **made)
    run = Run(control.cluster)
    with pytest.raises(CommandNotStarted, match=message):
        await run.executor.run("n1", "true")
    assert run.written == []


async def test_a_kubelet_that_does_nothing_is_waited_for_not_for_ever(control, monkeypatch):
    """A node that has just died still counts as Ready; how far the pod got is said."""
    monkeypatch.setattr(node_shell, "_START_SECONDS", 0.5)
    await node(control, "n1")
    run = Run(control.cluster)
    with pytest.raises(CommandNotStarted, match=r"does not start: not within 0\.5 s \(Pending\)"):
        await run.executor.run("n1", "true")
    assert await run.pods() == {}


async def test_a_pod_of_that_name_that_is_not_the_runs_is_left_alone(control):
    """Nothing is run in what somebody else made."""
    await node(control, "n1")
    run = Run(control.cluster)
    body = shell_pod("n1", run.settings, name=pod_name("n1", "run-1"), labels={"seatrial.io/run": "another"})
    await control.cluster.create(PODS, body)
    with pytest.raises(CommandNotStarted, match="is not this run's") as caught:
        await run.executor.run("n1", "true")
    assert "kubectl delete pod -n kube-system" in caught.value.hint
    assert len(await run.pods()) == 1


async def test_without_books_no_pod_is_made(control):
    """A privileged pod that no journal knows of would stay."""
    with pytest.raises(CommandNotStarted, match="no journal"):
        await NodeShell(control.cluster, ShellSettings()).run("n1", "true")


async def test_nothing_is_made_in_a_protected_namespace(control):
    """Protected is protected, for what serves the experiment as well."""
    await node(control, "n1")
    run = Run(control.cluster, protected=["kube-system"])
    for refused in (run.executor.require(), run.executor.run("n1", "true")):
        with pytest.raises(CommandNotStarted, match="the namespace kube-system is protected") as caught:
            await refused
        assert "--node-shell-namespace" in caught.value.hint
    assert run.written == []


async def test_missing_permissions_are_asked_for_before(control):
    """By name, and nothing is made."""
    async with await control.connect_as("jane") as cluster:
        with pytest.raises(
            MachineError, match=r"create pods in kube-system.*get pods/exec in kube-system, create"
        ) as caught:
            await NodeShell(cluster, ShellSettings()).require()
    assert "--node-shell-namespace" in caught.value.hint


async def test_a_namespace_that_is_not_there_is_said_with_how_to_make_it(control):
    """Before anything is touched, and when it went away since."""
    run = Run(control.cluster, namespace="shells")
    for attempt in (run.executor.require(), _after(node(control, "n1"), run.executor.run("n1", "true"))):
        with pytest.raises(CommandNotStarted, match='namespaces "shells" not found') as caught:
            await attempt
        assert caught.value.hint.startswith("kubectl create namespace shells")
    assert run.written == run.struck_out != []


async def _after(first, then):
    await first
    return await then


async def test_a_quota_that_forbids_it_is_said(control):
    """The API server's own words, and where else it may be allowed."""
    await control.cluster.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tight"}})
    quota = {
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
        "status": {"hard": {"pods": "0"}, "used": {}},
    }
    await control.server.api.create("resourcequotas", quota, "tight")
    await control.server.api.patch("resourcequotas", "none", "tight", {"status": _NO_PODS}, subresource="status")
    with pytest.raises(
        CommandNotStarted, match=r"a pod for commands on machines is refused: .*exceeded quota"
    ) as caught:
        await NodeShell(control.cluster, ShellSettings(namespace="tight")).require()
    assert "--node-shell-namespace" in caught.value.hint


_NO_PODS = {"hard": {"pods": "0"}, "used": {"pods": "0"}}
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SHELLS = "/api/v1/namespaces/shells/pods"


async def test_pod_security_that_forbids_it_is_said_with_the_label_that_allows_it():
    """As the admission plugin PodSecurity words it, which the sandbox doesn't have; it is asked by a dry run."""
    message = (
        'pods "seatrial-shell" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true,'
        ' hostPID=true), privileged (container "shell" must not set securityContext.privileged=true)'
    )
    async with serving() as server, unverified_client(server) as cluster:
        server.on("POST", REVIEWS, {"status": {"allowed": True}})
        server.on("POST", SHELLS, answer(status(403, "Forbidden", message)))
        with pytest.raises(CommandNotStarted, match="violates PodSecurity") as caught:
            await NodeShell(cluster, ShellSettings(namespace="shells")).require()
        assert [sent.query["dryRun"] for sent in server.seen("POST", SHELLS)] == ["All"]
    label = "pod-security.kubernetes.io/enforce=privileged"
    assert f"kubectl label namespace shells --overwrite {label}" in caught.value.hint


async def test_a_webhook_that_takes_no_dry_runs_says_nothing_about_the_pod():
    """The pod itself will tell."""
    async with serving() as server, unverified_client(server) as cluster:
        server.on("POST", REVIEWS, {"status": {"allowed": True}})
        server.on("POST", SHELLS, answer(status(400, "BadRequest", "admission webhook does not support dry run")))
        await NodeShell(cluster, ShellSettings(namespace="shells")).require()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"nsenter: can't execute 'sh': No such file or directory", "nsenter: can't execute 'sh'"),
        (None, 'exec: "nsenter": executable file not found'),
    ],
    ids=["a system without a shell", "an image without nsenter"],
)
async def test_a_node_that_can_not_be_entered_is_said_before_the_command_is_tried(said, message):
    """The pod runs and is of no use: it is taken away again."""
    asked = []

    async def talk(socket):
        asked.append(socket.request.query.getall("command"))
        if said is None:
            await socket.conclude(status="Failure", reason="InternalError", message=message, code=500)
            return
        await socket.send(2, said)
        causes = [{"reason": "ExitCode", "message": "127"}]
        await socket.conclude(status="Failure", reason="NonZeroExitCode", details={"causes": causes})

    name = pod_name("n1", "run-1")
    settings = ShellSettings(namespace="shells")
    made = shell_pod("n1", settings, name=name, labels={"seatrial.io/run": "run-1"})
    running = {
        **made,
        "metadata": {**made["metadata"], "uid": "1", "resourceVersion": "1"},
        "status": {"phase": "Running", "containerStatuses": [{"name": "shell", "state": {"running": {}}}]},
    }
    missing = answer(status(404, "NotFound", f'pods "{name}" not found'))
    async with serving() as server, unverified_client(server) as cluster:
        server.on("GET", "/api/v1/nodes/n1", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
        server.on("POST", SHELLS, running)
        server.on("GET", f"{SHELLS}/{name}", missing, running)
        server.on("GET", SHELLS, _listing(running))
        server.on("GET", f"{SHELLS}/{name}/exec", kubelet(talk))
        server.on("DELETE", f"{SHELLS}/{name}", missing)
        run = Run(cluster, namespace="shells")
        run.executor.keep_books(Books("run-1", {"seatrial.io/run": "run-1"}, _written))
        with pytest.raises(CommandNotStarted, match="can't enter n1 through a pod") as caught:
            await run.executor.run("n1", "true")
        assert message in caught.value.message
        assert len(server.seen("DELETE", f"{SHELLS}/{name}")) == 1
    assert [words[-1] for words in asked] == [":"]


def _listing(pod):
    """The pod, and no news of it."""

    async def serve(request):
        if "watch" in request.query:
            await asyncio.Event().wait()
        return answer(pod_list(pod, version=1))

    return serve


async def _written(_body):
    return _nothing


async def _nothing():
    pass


# Finding the way


async def test_by_hand_it_is_kubectl_debug(control):
    """One command, quoted as a shell needs it, with the image and namespace of choice."""
    executor = NodeShell(control.cluster, ShellSettings(namespace="shells", image="me/shell"))
    words = shlex.split(await executor.by_hand("n1", "echo 'a b'"))
    assert words[:6] == ["kubectl", "debug", "node/n1", "-i", "-n", "shells"]
    assert words[6:9] == ["--image=me/shell", "--profile=sysadmin", "--"]
    assert words[-3:] == ["sh", "-c", "echo 'a b'"]


async def test_it_is_the_way_where_nothing_better_is_known(control):
    """On a cluster that is no sandbox; settings may come without a name."""
    found = await find_executor("?NODE_SHELL_NAMESPACE=shells", control.cluster)
    assert found.name == "node-shell"
    with pytest.raises(CommandNotStarted, match='namespaces "shells" not found'):
        await found.require()
    lazy = LazyExecutor(control.cluster)
    lazy.keep_books(Books("run-1", {}, Run(control.cluster)._write_down))
    with pytest.raises(CommandNotStarted, match="there is no node n1"):
        await lazy.run("n1", "true")
    assert lazy.name == "node-shell"
