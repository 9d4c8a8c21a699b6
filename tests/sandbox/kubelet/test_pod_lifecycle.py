"""Pods on a node: what a watch sees while they start, run, fail, restart and end."""

import asyncio
import os
import signal

import psutil
import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.container_log import format_time
from tests.processes import processes_that_mention
from tests.sandbox.kubelet.node_under_test import (
    HOST_MOUNT,
    SLEEP,
    UP,
    NodeUnderTest,
    condition,
    container,
    host_directory,
    is_ready,
    make_pod,
)

LOOK = {"exec": {"command": ["/bin/sh", "-c", 'test -e "$SEATRIAL_ROOTFS/host/up"']}, "periodSeconds": 1}


def waits_for(pod: Object, reason: str) -> bool:
    """Whether the container waits for that reason."""
    return bool(container(pod)["state"].get("waiting", {}).get("reason") == reason)


async def test_a_bound_pod_runs_and_is_ready(node: NodeUnderTest) -> None:
    """Its status has what a kubelet writes: address, start time, conditions, container status."""
    await node.create(make_pod())
    pod = await node.history.wait("web", is_ready)
    status = pod["status"]
    assert status["phase"] == "Running"
    assert status["hostIP"] == node.config.address
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["podIP"].startswith(node.config.pod_cidr.rpartition(".")[0])
    assert [c["type"] for c in status["conditions"]] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert all(c["status"] == "True" and c["observedGeneration"] == 1 for c in status["conditions"])
    running = container(pod)
    assert running["image"] == "docker.io/library/busybox:1.36"
    assert running["containerID"].startswith("seatrial://")
    assert (running["ready"], running["started"], running["restartCount"], running["lastState"]) == (True, True, 0, {})


async def test_a_starting_pod_shows_the_steps_of_a_real_one(node: NodeUnderTest) -> None:
    """ContainerCreating first, then the surroundings are ready, then Running; never backwards."""
    await node.create(make_pod())
    await node.history.wait("web", is_ready)
    seen = [
        (pod["status"]["phase"], condition(pod, "PodReadyToStartContainers").get("status"), is_ready(pod))
        for pod in node.history.of("web")
        if condition(pod, "Initialized")
    ]
    assert list(dict.fromkeys(seen)) == [
        ("Pending", "False", False),
        ("Pending", "True", False),
        ("Running", "True", True),
    ]


async def test_events_tell_the_start(node: NodeUnderTest) -> None:
    """Pulled, Created, Started, of the container's field path."""
    await node.create(make_pod())
    started = await node.wait_event("Started")
    assert started["source"] == {"component": "kubelet", "host": "node1"}
    assert started["involvedObject"]["fieldPath"] == "spec.containers{c}"
    assert {"Pulled", "Created"} <= {event["reason"] for event in await node.events()}


async def test_a_container_knows_where_it_is(node: NodeUnderTest) -> None:
    """Its environment: pod name, addresses, downward API, the sandbox's own variables, a token."""
    script = 'echo "$HOSTNAME $SEATRIAL_POD_IP $NODE $KUBERNETES_SERVICE_PORT $SEATRIAL_SANDBOX"; '
    script += 'wc -c < "$SEATRIAL_ROOTFS/var/run/secrets/kubernetes.io/serviceaccount/token"; > up; exec sleep 100'
    spec = {
        "command": ["/bin/sh", "-c", script],
        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "readinessProbe": UP,
    }
    await node.create(make_pod(container=spec))
    pod = await node.history.wait("web", is_ready)
    first, second = (line.split(b" ", 3)[3] for line in await node.running_log("web", lines=2))
    assert first.decode() == f"web {pod['status']['podIP']} node1 443 test"
    assert int(second) > 100


async def test_a_failed_container_restarts_at_once_and_then_waits(node: NodeUnderTest) -> None:
    """terminated, running again with its last state, CrashLoopBackOff."""
    await node.create(make_pod(container={"command": ["/bin/sh", "-c", "exit 3"]}))
    pod = await node.history.wait("web", lambda pod: waits_for(pod, "CrashLoopBackOff"))
    crashed = container(pod)
    assert crashed["state"]["waiting"]["message"].startswith(
        "back-off 100ms restarting failed container=c pod=web_default("
    )
    assert crashed["lastState"]["terminated"]["exitCode"] == 3
    assert crashed["lastState"]["terminated"]["reason"] == "Error"
    assert (await node.wait_event("BackOff"))["type"] == "Warning"
    states = [next(iter(container(p)["state"])) for p in node.history.of("web") if container(p)["state"]]
    changes = [state for before, state in zip(["", *states], states, strict=False) if state != before]
    assert changes[:5] == ["waiting", "running", "terminated", "running", "terminated"]
    assert pod["status"]["phase"] == "Running"


async def test_a_killed_process_is_replaced(node: NodeUnderTest) -> None:
    """SIGKILL from outside: exit code 137, the pod unready for a moment, the same pod with one restart."""
    spec = {"command": ["/bin/sh", "-c", "> up; exec sleep 1000"], "readinessProbe": UP}
    pod = await node.create(make_pod(container=spec))
    await node.history.wait("web", is_ready)
    (process,) = await node.processes(pod)
    process.send_signal(signal.SIGKILL)
    again = await node.history.wait("web", lambda pod: container(pod)["restartCount"] == 1 and is_ready(pod))
    assert container(again)["lastState"]["terminated"]["exitCode"] == 137
    between = [p for p in node.history.of("web") if "terminated" in container(p)["state"]]
    assert condition(between[0], "Ready")["reason"] == "ContainersNotReady"


async def test_what_a_container_leaves_behind_goes_with_it(node: NodeUnderTest) -> None:
    """Children in its session and daemons that left it are killed when its main process ends."""
    script = "sleep 1001 & setsid -f sleep 1002; > up; exec sleep 1003"
    spec = {"command": ["/bin/sh", "-c", script], "readinessProbe": UP}
    await node.create(make_pod(container=spec, restartPolicy="Never"))
    address = (await node.history.wait("web", is_ready))["status"]["podIP"]
    running = await asyncio.to_thread(processes_that_mention, f"SEATRIAL_POD_IP={address}")
    processes = [each for each in running if each.name() == "sleep"]
    assert {" ".join(p.cmdline()) for p in processes} == {"sleep 1001", "sleep 1002", "sleep 1003"}
    next(p for p in processes if p.cmdline()[1] == "1003").kill()
    await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=30)
    assert alive == []


@pytest.mark.parametrize(
    ("policy", "command", "phase", "reason"),
    [
        ("Never", "exit 0", "Succeeded", "PodCompleted"),
        ("Never", "exit 4", "Failed", "PodFailed"),
        ("OnFailure", "exit 0", "Succeeded", "PodCompleted"),
    ],
)
async def test_pods_that_are_not_restarted_end(
    node: NodeUnderTest, policy: str, command: str, phase: str, reason: str
) -> None:
    """Their phase is final, their conditions say why they are not ready."""
    await node.create(make_pod(container={"command": ["/bin/sh", "-c", command]}, restartPolicy=policy))
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] == phase)
    assert condition(pod, "Ready")["reason"] == reason
    assert condition(pod, "ContainersReady")["reason"] == reason
    assert condition(pod, "PodReadyToStartContainers")["status"] == "False"
    assert container(pod)["restartCount"] == 0


async def test_a_program_that_is_not_there_is_a_start_error(node: NodeUnderTest) -> None:
    """RunContainerError, exit code 128, the runtime's words."""
    await node.create(make_pod(container={"command": ["no-such-program"]}))
    pod = await node.history.wait("web", lambda pod: container(pod)["lastState"])
    failed = container(pod)
    assert failed["state"]["waiting"]["reason"] == "RunContainerError"
    last = failed["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["startedAt"]) == (128, "StartError", "1970-01-01T00:00:00Z")
    assert 'exec: "no-such-program": executable file not found in $PATH' in last["message"]


async def test_an_unknown_image_is_pulled_in_vain_until_the_pod_names_another(node: NodeUnderTest) -> None:
    """ErrImagePull, ImagePullBackOff, and Running after the image is set right."""
    await node.create(make_pod(container={"image": "nosuchimage:v1"}))
    pulling = await node.history.wait("web", lambda pod: waits_for(pod, "ErrImagePull"))
    assert container(pulling)["state"]["waiting"]["message"] == (
        'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nosuchimage:v1": '
        "failed to resolve image: docker.io/library/nosuchimage:v1: not found"
    )
    assert pulling["status"]["phase"] == "Pending"
    fixed = [{**pulling["spec"]["containers"][0], "image": "busybox:1.36"}]
    await node.api.patch("pods", "web", "default", {"spec": {"containers": fixed}})
    pod = await node.history.wait("web", is_ready)
    assert container(pod)["restartCount"] == 0


async def test_a_container_of_the_users_own_image_runs_its_command(node: NodeUnderTest) -> None:
    """`--image NAME=COMMAND`: the command is what the image starts."""
    spec = {"image": "example.com/greeter", "command": None}
    await node.create(make_pod(container=spec))
    await node.history.wait("web", is_ready)
    waited = await node.history.wait("web", is_ready)
    container_id = container(waited)["containerID"].partition("://")[2]
    reply = await node.runtime.execute(container_id, ("/bin/sh", "-c", "echo inside; exit 7"), timeout_seconds=5)
    assert (reply.exit_code, reply.output) == (7, "inside\n")


async def test_a_missing_config_map_is_told_and_then_found(node: NodeUnderTest) -> None:
    """CreateContainerConfigError until it exists."""
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]
    await node.create(make_pod(container={"env": env}))
    waiting = await node.history.wait("web", lambda pod: waits_for(pod, "CreateContainerConfigError"))
    assert container(waiting)["state"]["waiting"]["message"] == 'configmap "settings" not found'
    settings = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    await node.api.create("configmaps", settings, "default")
    await node.history.wait("web", is_ready)


async def test_a_missing_volume_keeps_the_pod_waiting(node: NodeUnderTest) -> None:
    """FailedMount, and the pod starts when the ConfigMap is there."""
    volumes = [{"name": "v", "configMap": {"name": "settings"}}]
    mounts = [{"name": "v", "mountPath": "/etc/settings"}]
    script = 'cat "$SEATRIAL_ROOTFS/etc/settings/a"; exec sleep 100'
    spec = {"command": ["/bin/sh", "-c", script], "volumeMounts": mounts}
    await node.create(make_pod(container=spec, volumes=volumes))
    event = await node.wait_event("FailedMount")
    assert event["message"] == 'MountVolume.SetUp failed for volume "v" : configmap "settings" not found'
    settings = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings"}, "data": {"a": "one\n"}}
    await node.api.create("configmaps", settings, "default")
    await node.history.wait("web", is_ready)


async def test_init_containers_run_in_order_before_the_others(node: NodeUnderTest) -> None:
    """One after the other; a sidecar is started on its place and lives beside the main container."""
    init = (
        {"name": "first", "image": "busybox:1.36", "command": ["/bin/true"]},
        {"name": "side", "image": "busybox:1.36", "restartPolicy": "Always", "command": SLEEP},
        {"name": "second", "image": "busybox:1.36", "command": ["/bin/true"]},
    )
    await node.create(make_pod(init=init))
    pod = await node.history.wait("web", is_ready)
    starting = next(p for p in node.history.of("web") if condition(p, "Initialized"))
    assert container(starting)["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert condition(starting, "Initialized")["message"] == "containers with incomplete status: [first side second]"
    assert condition(starting, "Ready")["message"] == "containers with unready status: [side c]"
    assert [container(pod, name)["ready"] for name in ("first", "side", "second", "c")] == [True] * 4
    assert "running" in container(pod, "side")["state"]
    assert container(pod, "second")["state"]["terminated"]["reason"] == "Completed"


async def test_a_failed_init_container_fails_a_pod_that_is_not_restarted(node: NodeUnderTest) -> None:
    """Its main container never starts."""
    init = ({"name": "first", "image": "busybox:1.36", "command": ["/bin/false"]},)
    await node.create(make_pod(init=init, restartPolicy="Never"))
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    assert container(pod)["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert container(pod, "first")["state"]["terminated"]["exitCode"] == 1


async def test_a_job_with_a_sidecar_succeeds(node: NodeUnderTest) -> None:
    """When the main container is done the sidecar is stopped, and how it ended doesn't count."""
    init = ({"name": "side", "image": "busybox:1.36", "restartPolicy": "Always", "command": SLEEP},)
    await node.create(make_pod(init=init, restartPolicy="Never", container={"command": ["/bin/true"]}))
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] in {"Succeeded", "Failed"})
    assert pod["status"]["phase"] == "Succeeded"
    assert container(pod, "side")["state"]["terminated"]["exitCode"] == 143


async def test_a_pod_past_its_deadline_fails(node: NodeUnderTest) -> None:
    """DeadlineExceeded, and its processes are gone."""
    await node.create(make_pod(activeDeadlineSeconds=1))
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert pod["status"]["message"] == "Pod was active on the node longer than the specified deadline"
    assert all("reason" not in p["status"] for p in node.history.of("web")[:-1])


async def test_a_deleted_pod_gets_the_stop_signal_and_goes(node: NodeUnderTest) -> None:
    """It shows Succeeded with exit code 0 when it obeys, and is gone at once."""
    script = "trap 'exit 0' TERM; > up; while :; do sleep 0.05; done"
    spec = {"command": ["/bin/sh", "-c", script], "readinessProbe": UP}
    created = await node.create(make_pod(container=spec))
    await node.history.wait("web", is_ready)
    await node.api.delete("pods", "web", "default")
    await node.history.wait_gone("web", seconds=25)  # less than the grace period
    last = node.history.of("web")[-1]
    assert last["status"]["phase"] == "Succeeded"
    assert condition(last, "Ready")["reason"] == "PodCompleted"
    assert last["metadata"]["deletionGracePeriodSeconds"] == 0
    assert (await node.wait_event("Killing"))["message"] == "Stopping container c"
    assert not (node.config.directory / "pods" / created["metadata"]["uid"]).exists()


async def test_a_pod_that_ignores_the_signal_is_killed_after_its_grace_period(node: NodeUnderTest) -> None:
    """Exit code 137, phase Failed."""
    script = "trap '' TERM; > up; sleep 1000 & wait; while :; do wait; done"
    await node.create(make_pod(container={"command": ["/bin/sh", "-c", script], "readinessProbe": UP}))
    await node.history.wait("web", is_ready)
    await node.api.delete("pods", "web", "default", grace_period_seconds=1)
    await node.history.wait_gone("web")
    last = node.history.of("web")[-1]
    assert last["status"]["phase"] == "Failed"
    assert container(last)["state"]["terminated"]["exitCode"] == 137


async def test_a_second_delete_can_shorten_the_grace_period(node: NodeUnderTest) -> None:
    """A pod that would have had half a minute goes after a second."""
    spec = {"command": ["/bin/sh", "-c", "trap '' TERM; > up; while :; do sleep 0.1; done"]}
    await node.create(make_pod(container={**spec, "readinessProbe": UP}))
    await node.history.wait("web", is_ready)
    await node.api.delete("pods", "web", "default", grace_period_seconds=60)
    await node.wait_event("Killing")
    await node.api.delete("pods", "web", "default", grace_period_seconds=1)
    await node.history.wait_gone("web", seconds=30)


async def test_a_force_deleted_pod_is_killed_at_once(node: NodeUnderTest) -> None:
    """The object goes first, the processes follow without a stop signal."""
    spec = {"command": ["/bin/sh", "-c", "trap '' TERM; > up; while :; do sleep 0.1; done"]}
    pod = await node.create(make_pod(container={**spec, "readinessProbe": UP}))
    await node.history.wait("web", is_ready)
    processes = await node.processes(pod)
    await node.api.delete("pods", "web", "default", grace_period_seconds=0)
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=30)
    assert processes
    assert alive == []


async def test_a_pre_stop_hook_runs_before_the_signal(node: NodeUnderTest) -> None:
    """What the hook wrote is in the log before what the signal's handler wrote."""
    script = "trap 'echo signal >> \"$SEATRIAL_ROOTFS/order\"; exit 0' TERM; > up; while :; do sleep 0.05; done"
    copied = 'echo hook >> "$SEATRIAL_ROOTFS/order"; cp "$SEATRIAL_ROOTFS/order" "$SEATRIAL_ROOTFS/host/order"'
    hook = {"exec": {"command": ["/bin/sh", "-c", copied]}}
    keep = node.config.directory / "kept"
    spec = {
        **HOST_MOUNT,
        "command": ["/bin/sh", "-c", script],
        "lifecycle": {"preStop": hook},
        "readinessProbe": UP,
    }
    await node.create(make_pod(container=spec, **host_directory(keep)))
    await node.history.wait("web", is_ready)
    await node.api.delete("pods", "web", "default")
    await node.history.wait_gone("web")
    assert (keep / "order").read_text() == "hook\n"


async def test_pods_have_addresses_of_their_own(node: NodeUnderTest) -> None:
    """Two pods that listen on the same port don't meet."""
    probe = {"httpGet": {"port": 8000}, "periodSeconds": 1}
    spec = {
        "image": "hashicorp/http-echo:1.0",
        "command": None,
        "args": ["-text=hi", "-listen=:8000"],
        "readinessProbe": probe,
    }
    await node.create(make_pod("one", container=spec))
    await node.create(make_pod("two", container=spec))
    one = await node.history.wait("one", is_ready)
    two = await node.history.wait("two", is_ready)
    assert one["status"]["podIP"] != two["status"]["podIP"]


async def test_a_built_in_program_is_ready_soon(node: NodeUnderTest) -> None:
    """The first readiness probe waits for the port instead of failing for a period."""
    probe = {"httpGet": {"port": 80}, "periodSeconds": 60}
    await node.create(make_pod(container={"image": "nginx:1.27", "command": None, "readinessProbe": probe}))
    await node.history.wait("web", is_ready, seconds=45)  # less than the period
    assert "Unhealthy" not in {event["reason"] for event in await node.events()}


async def test_a_failing_liveness_probe_restarts_the_container(node: NodeUnderTest) -> None:
    """Unhealthy, Killing with the reason, one restart."""
    probe = {"exec": {"command": ["/bin/sh", "-c", "echo broken; exit 1"]}, "periodSeconds": 1, "failureThreshold": 1}
    await node.create(make_pod(container={"livenessProbe": probe}, terminationGracePeriodSeconds=1))
    await node.history.wait("web", lambda pod: container(pod)["restartCount"] == 1)
    assert (await node.wait_event("Unhealthy"))["message"] == "Liveness probe failed: broken\n"
    assert (await node.wait_event("Killing"))["message"] == "Container c failed liveness probe, will be restarted"


async def test_a_pod_whose_readiness_fails_stays_but_is_not_ready(node: NodeUnderTest) -> None:
    """The probe decides about Ready, not about life."""
    flag = node.config.directory / "flags" / "up"
    pod = make_pod(container={"readinessProbe": {**LOOK, "failureThreshold": 1}, **HOST_MOUNT})
    pod["spec"] |= host_directory(flag.parent)
    flag.touch()
    await node.create(pod)
    await node.history.wait("web", is_ready)
    flag.unlink()
    seen = len(node.history.versions)
    pod = await node.history.wait("web", lambda pod: not is_ready(pod), after=seen)
    assert container(pod)["restartCount"] == 0
    assert condition(pod, "Ready")["message"] == "containers with unready status: [c]"


async def test_a_startup_probe_holds_the_others_back(node: NodeUnderTest) -> None:
    """Until it passes the container is not started, and a failing liveness probe does not kill it."""
    flag = node.config.directory / "flags" / "up"
    spec = {"startupProbe": {**LOOK, "failureThreshold": 30}, "livenessProbe": {**LOOK, "failureThreshold": 1}}
    await node.create(make_pod(container={**spec, **HOST_MOUNT}, **host_directory(flag.parent)))
    pod = await node.history.wait("web", lambda pod: "running" in container(pod)["state"])
    assert (container(pod)["started"], container(pod)["ready"]) == (False, False)
    await node.wait_event("Unhealthy")
    flag.touch()
    pod = await node.history.wait("web", is_ready)
    assert (container(pod)["started"], container(pod)["restartCount"]) == (True, 0)


async def test_logs_have_the_form_of_the_container_runtime_interface(node: NodeUnderTest) -> None:
    """Time, stream, tag, text."""
    await node.create(
        make_pod(container={"command": ["/bin/sh", "-c", "echo out; echo err >&2; printf part"]}, restartPolicy="Never")
    )
    await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Succeeded")
    records = [line.split(b" ", 3) for line in (await node.log("web")).splitlines()]
    assert {(stream, tag, text) for _, stream, tag, text in records} == {
        (b"stdout", b"F", b"out"),
        (b"stderr", b"F", b"err"),
        (b"stdout", b"P", b"part"),
    }
    assert all(len(time) == len(format_time(0)) for time, *_ in records)


async def test_a_failed_container_says_why_through_its_log(node: NodeUnderTest) -> None:
    """TerminationMessagePolicy FallbackToLogsOnError."""
    spec = {"command": ["/bin/sh", "-c", "echo reason; exit 3"], "terminationMessagePolicy": "FallbackToLogsOnError"}
    await node.create(make_pod(container=spec, restartPolicy="Never"))
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    assert container(pod)["state"]["terminated"]["message"] == "reason\n"


async def test_the_node_registers_itself(node: NodeUnderTest) -> None:
    """Labels, address, capacity, provider id, Ready; and its Lease."""
    await node.create(make_pod())
    await node.history.wait("web", is_ready)
    registered = await node.api.get("nodes", "node1")
    labels = registered["metadata"]["labels"]
    assert labels["topology.kubernetes.io/zone"] == "west-1"
    assert labels["seatrial.io/group"] == "workers"
    assert registered["spec"]["providerID"] == "sandbox:///west-1/i-1"
    assert registered["status"]["addresses"][0] == {"type": "InternalIP", "address": node.config.address}
    assert registered["status"]["allocatable"]["pods"] == "110"
    assert condition(registered, "Ready")["status"] == "True"
    lease = await node.api.get("leases.coordination.k8s.io", "node1", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "node1"
    assert lease["metadata"]["ownerReferences"][0]["uid"] == registered["metadata"]["uid"]


async def test_a_node_that_was_taken_for_dead_says_that_it_lives(node: NodeUnderTest) -> None:
    """Ready Unknown, written by somebody else, is put right."""
    await node.create(make_pod())
    await node.history.wait("web", is_ready)
    registered = await node.api.get("nodes", "node1")
    wrong = [{**c, "status": "Unknown"} for c in registered["status"]["conditions"]]
    await node.api.patch("nodes", "node1", None, {"status": {"conditions": wrong}}, subresource="status")
    async for event in node.api.watch("nodes", resource_version=registered["metadata"]["resourceVersion"]):
        if event.type != "BOOKMARK" and condition(event.object, "Ready")["status"] == "True":
            break


def test_the_tests_themselves_leave_no_process() -> None:
    """Nothing of a container is left below this process."""
    assert not [child for child in psutil.Process(os.getpid()).children() if "sleep" in child.name()]
