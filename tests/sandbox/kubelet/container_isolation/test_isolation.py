"""Containers set apart from their machine: process table, host name, file tree."""

from collections.abc import AsyncIterator

import pytest

from seatrial.sandbox.kubelet.container_isolation import isolation, namespaces
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from tests.sandbox.kubelet.node_under_test import (
    HOST_MOUNT,
    UP,
    NodeUnderTest,
    container,
    host_directory,
    make_pod,
    running_node,
)

pytestmark = pytest.mark.skipif(not namespaces.available(), reason="the kernel lets nobody make user namespaces here")


async def output(node: NodeUnderTest, script: str, *, image: str = "busybox:1.36", **spec: object) -> list[str]:
    """The lines that a shell script prints in a pod of its own, which may run to its end."""
    changes = spec.pop("container", {})
    assert isinstance(changes, dict)
    pod = make_pod(
        container={"image": image, "command": ["/bin/sh", "-c", script], **changes}, restartPolicy="Never", **spec
    )
    await node.create(pod)
    await node.history.wait("web", lambda pod: pod["status"]["phase"] in {"Succeeded", "Failed"})
    return [line.split(b" ", 3)[3].decode() for line in (await node.log("web")).splitlines()]


async def test_a_container_is_process_1_of_its_own_table(node: NodeUnderTest) -> None:
    """It is root there, and sees no process but its own."""
    lines = await output(node, "echo $$$$; id -u; ls -d /proc/[0-9]* | wc -l")
    assert lines[:2] == ["1", "0"]
    assert int(lines[2]) <= 4


async def test_process_1_obeys_only_the_signals_it_handles(node: NodeUnderTest) -> None:
    """As the kernel has it for every first process: SIGTERM without a handler does nothing."""
    assert await output(node, "kill -TERM 1; echo lives; trap 'echo obeys; exit' TERM; kill -TERM 1; echo no") == [
        "lives",
        "obeys",
    ]


async def test_what_a_container_writes_is_its_own(node: NodeUnderTest) -> None:
    """The host's programs can't be written to, everything else can; nothing of it is seen outside."""
    script = "touch /ok /tmp/x /var/log/y && ls /ok; touch /usr/z 2>/dev/null || echo read-only; ls -A /home | wc -l"
    assert await output(node, script) == ["/ok", "read-only", "0"]


async def test_a_restarted_container_begins_with_an_empty_tree(node: NodeUnderTest) -> None:
    """What the life before it wrote outside its volumes is gone, what it wrote to a volume isn't."""
    script = "test -e /v/again && { test -e /again || { > up; while :; do sleep 1; done; }; }; > /again; > /v/again"
    spec = {"command": ["/bin/sh", "-c", script], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    await node.create(make_pod(container={**spec, "readinessProbe": UP}, volumes=[{"name": "v", "emptyDir": {}}]))
    pod = await node.history.wait("web", lambda pod: container(pod).get("ready"))
    assert container(pod)["restartCount"] == 1


async def test_volumes_are_where_the_spec_says(node: NodeUnderTest) -> None:
    """Below /etc, inside the host's /usr, inside one another; read-only ones can't be written to."""
    settings = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings"}, "data": {"a": "1\n"}}
    await node.api.create("configmaps", settings, "default")
    mounts = [
        {"name": "s", "mountPath": "/etc/settings", "readOnly": True},
        {"name": "s", "mountPath": "/usr/share/nginx/html/page", "subPath": "a"},
        {"name": "e", "mountPath": "/work"},
        {"name": "s", "mountPath": "/work/deep"},
    ]
    volumes = [{"name": "s", "configMap": {"name": "settings"}}, {"name": "e", "emptyDir": {}}]
    script = "cat /etc/settings/a /usr/share/nginx/html/page /work/deep/a; ls /usr/share | wc -l; "
    script += "touch /etc/settings/b 2>/dev/null || echo read-only; touch /work/x && echo written"
    lines = await output(node, script, container={"volumeMounts": mounts}, volumes=volumes)
    assert lines[:3] == ["1", "1", "1"]
    assert int(lines[3]) > 1
    assert lines[4:] == ["read-only", "written"]


async def test_what_a_pod_says_of_itself_follows_it(node: NodeUnderTest) -> None:
    """A downward API volume is brought up to date when the pod's labels change."""
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    script = "until grep -q colour /etc/pod/labels; do sleep 0.05; done; cat /etc/pod/labels; > up; sleep 1000"
    spec = {"volumeMounts": [{"name": "v", "mountPath": "/etc/pod"}], "command": ["/bin/sh", "-c", script]}
    volumes = [{"name": "v", "downwardAPI": {"items": items}}]
    grace = {"terminationGracePeriodSeconds": 1}
    await node.create(make_pod(container={**spec, "readinessProbe": UP}, volumes=volumes, **grace))
    await node.history.wait("web", lambda pod: "running" in container(pod)["state"])
    await node.api.patch("pods", "web", "default", {"metadata": {"labels": {"colour": "red"}}})
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    assert any(line.endswith(b'app="web"') for line in await node.running_log("web", lines=1))


async def test_a_pod_has_its_own_name(node: NodeUnderTest) -> None:
    """Its host name, and itself in /etc/hosts, with the aliases that its spec gives and the Services."""
    service = {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": "shop"},
        "spec": {"ports": [{"port": 80}]},
    }
    address = (await node.api.create("services", service, "default"))["spec"]["clusterIP"]
    aliases = [{"ip": "10.0.0.9", "hostnames": ["db", "db.example.com"]}]
    script = "hostname; grep -c '[^.]web$' /etc/hosts; grep db /etc/hosts; "
    script += "until grep shop.default.svc /etc/hosts; do sleep 0.1; done"
    name, known, database, shop = await output(node, script, hostname="web", hostAliases=aliases)
    assert (name, known) == ("web", "1")
    assert database.split()[0] == "10.0.0.9"
    assert shop.split()[0] == address


async def test_a_container_says_why_it_ended(node: NodeUnderTest) -> None:
    """By /dev/termination-log, or the file that its spec names."""
    await output(node, "echo reason > /why; exit 3", container={"terminationMessagePath": "/why"})
    pod = await node.api.get("pods", "web", "default")
    assert container(pod)["state"]["terminated"]["message"] == "reason\n"


async def test_the_root_may_be_read_only(node: NodeUnderTest) -> None:
    """Then volumes alone can be written to."""
    script = "touch /x 2>/dev/null || echo read-only; touch /host/x && echo written"
    spec = {"securityContext": {"readOnlyRootFilesystem": True}, **HOST_MOUNT}
    directory = host_directory(node.config.directory / "host")
    assert await output(node, script, container=spec, **directory) == ["read-only", "written"]


async def test_a_users_image_finds_the_hosts_files(node: NodeUnderTest) -> None:
    """It is a command of the host, so it sees what is there, beside the pod's volumes."""
    path = node.config.directory / "settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine\n")
    script = f"cat {path}; test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo token"
    assert await output(node, script, image="example.com/greeter") == ["mine", "token"]


async def test_a_debugging_container_sees_its_targets_processes(node: NodeUnderTest) -> None:
    """An ephemeral container that is added to a running pod."""
    await node.create(make_pod())
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    script = "grep -c trap /proc/1/cmdline"
    added = {
        "name": "dbg",
        "image": "busybox:1.36",
        "command": ["/bin/sh", "-c", script],
        "targetContainerName": "c",
    }
    patch = {"spec": {"ephemeralContainers": [added]}}
    await node.api.patch("pods", "web", "default", patch, subresource="ephemeralcontainers")

    def ended(pod: dict[str, object]) -> bool:
        status = pod["status"]
        assert isinstance(status, dict)
        return any("terminated" in each["state"] for each in status.get("ephemeralContainerStatuses", ()))

    pod = await node.history.wait("web", ended)
    (status,) = pod["status"]["ephemeralContainerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 0
    assert "started" not in status
    assert container(pod)["restartCount"] == 0


@pytest.fixture
async def plain_node(machine_config: MachineConfig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NodeUnderTest]:
    """A node whose containers can't be set apart."""
    monkeypatch.setenv(namespaces.FORBIDDING_VARIABLE, "1")
    async with running_node(machine_config) as node:
        yield node


async def test_where_nothing_may_be_set_apart_containers_are_plain_processes(plain_node: NodeUnderTest) -> None:
    """Their volumes lie below SEATRIAL_ROOTFS, which is a directory of the machine."""
    mounted = "$SEATRIAL_ROOTFS/var/run/secrets/kubernetes.io/serviceaccount/namespace"
    assert await output(plain_node, f'test "$SEATRIAL_ROOTFS" != / && cat "{mounted}"') == ["default"]


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (b"", (0, b"")),
        (b"no such file", (0, b"no such file")),
        (b"\x0142\n", (42, b"")),
        (b"\x0142\nno such file", (42, b"no such file")),
        (b"no such file\x0142\n", (42, b"no such file")),
    ],
)
def test_a_report_is_read_in_whichever_order_it_was_written(report: bytes, told: tuple[int, bytes]) -> None:
    """Two processes write it: a container that fails at once may tell why before its id is told."""
    assert isolation.parse_report(report) == told
