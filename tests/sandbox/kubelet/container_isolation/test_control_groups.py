"""Control groups: where they may be made, what is written there, and that they do what they are for."""

import os
from pathlib import Path
from typing import Any

import pytest

from seatrial.sandbox.kubelet.container_isolation.control_groups import (
    ControlGroups,
    Hierarchy,
    Limits,
    find_hierarchy,
    remove_groups,
)
from tests.sandbox.kubelet.node_under_test import UP, NodeUnderTest, container, make_pod

_ALLOWED = find_hierarchy()
needs_cpu = pytest.mark.skipif(_ALLOWED.cpu is None, reason="this user may not limit processor time here")
needs_memory = pytest.mark.skipif(_ALLOWED.memory is None, reason="this user may not limit memory here")
ID = "0123456789abcdef"
NAME = "seatrial-s1.node1.0123456789ab"
LIMITS = Limits(memory_bytes=1 << 20, cpu_cores=0.5)


def group(directory: Path, **files: str) -> Path:
    """A directory like one of a control group."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in {"cgroup_procs": "", **files}.items():
        (directory / name.replace("_", ".", 1)).write_text(content)
    return directory


def contents(directory: Path) -> dict[str, str]:
    """The files of a directory."""
    return {file.name: file.read_text() for file in directory.iterdir() if file.read_text()}


def test_version_2_is_used_where_controllers_are_handed_down(tmp_path: Path) -> None:
    """By the group that the process is in, or by the one above it."""
    group(tmp_path / "top", cgroup_controllers="cpu memory", cgroup_subtree_control="cpu memory")
    found = find_hierarchy(root=tmp_path / "top", membership="0::/\n")
    assert found == Hierarchy(tmp_path / "top", tmp_path / "top", unified=True)
    group(tmp_path / "top" / "init", cgroup_subtree_control="")
    assert find_hierarchy(root=tmp_path / "top", membership="0::/init\n") == found


def test_groups_of_others_are_left_alone(tmp_path: Path) -> None:
    """What a manager has not handed over is its own, even where it could be written to."""
    group(tmp_path, cgroup_controllers="memory", cgroup_subtree_control="memory")
    group(tmp_path / "system" / "job", cgroup_subtree_control="memory")
    handed_over = os.geteuid() != 0
    found = find_hierarchy(root=tmp_path, membership="0::/system/job\n")
    assert (found.memory is not None) == handed_over


def test_version_1_is_used_by_controller(tmp_path: Path) -> None:
    """Processor time may be limited where memory may not."""
    group(tmp_path / "cpu")
    found = find_hierarchy(root=tmp_path, membership="4:memory:/elsewhere\n1:cpu:/\n0::/\n")
    assert found == Hierarchy(None, tmp_path / "cpu")


def test_nothing_is_used_where_nothing_is_mounted(tmp_path: Path) -> None:
    """As in many containers."""
    assert find_hierarchy(root=tmp_path, membership="0::/\n") == Hierarchy()


def test_limits_are_written_in_the_words_of_version_2(tmp_path: Path) -> None:
    """No swap, all of the container at once; processor time in a tenth of a second."""
    files = {"memory_max": "", "memory_swap.max": "", "memory_oom.group": "", "cpu_max": ""}
    made = group(tmp_path / "top" / NAME, **files)
    groups = ControlGroups(
        Hierarchy(made.parent, made.parent, unified=True), directory=tmp_path / "node1", sandbox="s1"
    )
    assert groups.limit(ID, LIMITS) == (made,)
    expected = {"memory.max": "1048576", "memory.swap.max": "0", "memory.oom.group": "1", "cpu.max": "50000 100000"}
    assert contents(made) == expected
    groups.limit(ID, Limits())
    assert contents(made) == expected | {"memory.max": "max", "memory.swap.max": "max", "cpu.max": "max 100000"}


def test_limits_are_written_in_the_words_of_version_1(tmp_path: Path) -> None:
    """Each controller has a hierarchy of its own."""
    memory = group(tmp_path / "memory" / NAME, memory_limit_in_bytes="")
    cpu = group(tmp_path / "cpu" / NAME, cpu_cfs_quota_us="", cpu_cfs_period_us="")
    groups = ControlGroups(Hierarchy(memory.parent, cpu.parent), directory=tmp_path / "node1", sandbox="s1")
    assert set(groups.limit(ID, LIMITS)) == {memory, cpu}
    assert contents(memory) == {"memory.limit_in_bytes": "1048576"}
    assert contents(cpu) == {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}


@pytest.mark.parametrize(("unified", "file"), [(True, "memory_events"), (False, "memory_oom_control")])
def test_the_kernel_tells_who_was_killed_for_memory(tmp_path: Path, *, unified: bool, file: str) -> None:
    """By a count in the group."""
    made = group(tmp_path / "top" / NAME, **{file: "oom 3\noom_kill 0\n"})
    groups = ControlGroups(Hierarchy(made.parent, unified=unified), directory=tmp_path / "node1", sandbox="s1")
    assert not groups.exceeded_memory(ID)
    (made / file.replace("_", ".", 1)).write_text("oom 3\noom_kill 1\n")
    assert groups.exceeded_memory(ID)


def test_a_group_goes_when_nobody_is_in_it(tmp_path: Path) -> None:
    """It is tried again as often as something ends."""
    made = group(tmp_path / "top" / NAME)
    groups = ControlGroups(Hierarchy(cpu=made.parent), directory=tmp_path / "node1", sandbox="s1")
    groups.release(ID)
    assert made.exists()
    (made / "cgroup.procs").unlink()
    groups.sweep()
    assert not made.exists()


def test_what_a_killed_machine_left_is_removed(tmp_path: Path) -> None:
    """By the machine when it is started again, by whoever sweeps up behind the sandbox; others' groups stay."""
    (tmp_path / "machines" / "node1").mkdir(parents=True)
    (tmp_path / "top").mkdir()
    machine, other = tmp_path / "machines" / "node1", tmp_path / "top" / "seatrial-s2.node1.0123456789ab"
    other.mkdir()
    hierarchy = Hierarchy(cpu=tmp_path / "top")
    (made,) = ControlGroups(hierarchy, directory=machine, sandbox="s1").limit(ID, LIMITS)
    assert made.exists()
    ControlGroups(hierarchy, directory=machine, sandbox="s1")
    assert not made.exists()
    ControlGroups(hierarchy, directory=machine, sandbox="s1").limit(ID, LIMITS)
    remove_groups("s1", tmp_path / "machines")
    assert not made.exists()
    assert other.exists()


def limited(command: str, **limits: str) -> dict[str, Any]:
    """A container with limits that says when it is ready."""
    return {"command": ["/bin/sh", "-c", command], "readinessProbe": UP, "resources": {"limits": limits}}


@needs_cpu
async def test_a_container_gets_no_more_processor_time_than_its_limit(node: NodeUnderTest) -> None:
    """Neither its main process nor what it starts; the group goes with the container."""
    await node.create(make_pod(container=limited("> up; (while :; do :; done) & while :; do :; done", cpu="100m")))
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    (record,) = [r for r in await node.runtime.list() if r.container.pod_name == "web"]
    assert _ALLOWED.cpu is not None
    (made,) = _ALLOWED.cpu.glob(f"seatrial-*.node1.{record.container.id[:12]}")
    assert str(record.pid) in (made / "cgroup.procs").read_text().split()
    while "nr_throttled 0\n" in (made / "cpu.stat").read_text():
        await node.runtime.list()
    reply = await node.runtime.execute(record.container.id, ("cat", "/proc/self/cgroup"), timeout_seconds=10)
    assert made.name in reply.output
    await node.api.delete("pods", "web", "default", grace_period_seconds=0)
    await node.history.wait_gone("web")
    while made.exists():
        await node.runtime.list()


@needs_cpu
async def test_processor_time_can_be_limited_while_the_container_runs(node: NodeUnderTest) -> None:
    """A resize that adds a limit takes what runs into a group."""
    spec = {**limited("> up; while :; do :; done"), "resources": {"requests": {"cpu": "50m"}}}
    await node.create(make_pod(container=spec))
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    pod = await node.api.get("pods", "web", "default")
    resources = {"requests": {"cpu": "50m"}, "limits": {"cpu": "100m"}}
    containers = [{**pod["spec"]["containers"][0], "resources": resources}]
    await node.api.patch("pods", "web", "default", {"spec": {"containers": containers}}, subresource="resize")
    (record,) = [r for r in await node.runtime.list() if r.container.pod_name == "web"]
    groups = Path(f"/proc/{record.pid}/cgroup")
    while record.container.id[:12] not in groups.read_text():
        await node.runtime.list()


@needs_memory
async def test_the_kernel_kills_a_container_that_takes_too_much_memory(node: NodeUnderTest) -> None:
    """Exit code 137 with the reason OOMKilled."""
    spec = {"command": ["/bin/sh", "-c", "tail /dev/zero"], "resources": {"limits": {"memory": "24Mi"}}}
    await node.create(make_pod(container=spec, restartPolicy="Never"))
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    ended = container(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
