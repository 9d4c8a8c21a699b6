"""What a kubelet ends a pod for: deadlines and local storage."""

import time
from pathlib import Path

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.pod_limits import PodLimits, exceeded_storage
from seatrial.sandbox.kubelet.volumes import volume_directory
from tests.sandbox.kubelet.node_under_test import NodeUnderTest, condition, container, make_pod


def pod_with(*, volume: Object | None = None, **limits: str) -> Object:
    """A pod with a volume and the storage limits of its containers."""
    containers = [{"name": n, "resources": {"limits": {"ephemeral-storage": limit}}} for n, limit in limits.items()]
    volumes = [{"name": "v", "emptyDir": volume}] if volume is not None else []
    return {"spec": {"containers": containers or [{"name": "c"}], "volumes": volumes}}


def fill(directory: Path, kibibytes: int) -> None:
    """Use storage."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "big").write_bytes(b"x" * kibibytes * 1024)


@pytest.mark.parametrize(
    ("pod", "message"),
    [
        (pod_with(volume={}), ""),
        (pod_with(volume={"sizeLimit": "1Mi"}), ""),
        (pod_with(volume={"sizeLimit": "64Ki"}), 'Usage of EmptyDir volume "v" exceeds the limit "64Ki". '),
        (pod_with(c="1Mi"), ""),
        (pod_with(c="64Ki", d="1Mi"), 'Container c exceeded its local ephemeral storage limit "64Ki". '),
        (
            pod_with(c="64Ki", volume={}),
            "Pod ephemeral local storage usage exceeds the total limit of containers 64Ki. ",
        ),
    ],
)
def test_which_limit_is_exceeded(tmp_path: Path, pod: Object, message: str) -> None:
    """A volume's, a container's with its logs, or that of all containers together."""
    fill(volume_directory(tmp_path, "v"), 256)
    fill(tmp_path / "c" / "rootfs", 128)
    assert exceeded_storage(pod, tmp_path) == message


async def test_it_is_looked_at_when_something_can_have_changed(tmp_path: Path) -> None:
    """Storage now and then where it is limited, the deadline when it is over, else only when the pod changes."""
    limits, now = PodLimits(tmp_path, look_seconds=10), time.time()
    pod = pod_with()
    assert limits.seconds_to_look(pod, started_at=now) is None
    pod["spec"]["activeDeadlineSeconds"] = 60
    assert limits.seconds_to_look(pod, started_at=now) == pytest.approx(60, abs=5)
    assert limits.seconds_to_look(pod_with(c="1Mi"), started_at=now) == 10
    assert await limits.exceeded(pod, started_at=now) is None
    late = await limits.exceeded(pod, started_at=now - 61)
    assert late is not None
    assert late.reason == "DeadlineExceeded"


async def test_a_pod_whose_volume_grows_too_large_is_evicted(node: NodeUnderTest) -> None:
    """Failed for the reason Evicted, with an event and the condition that disruptions have."""
    spec = {
        "command": ["/bin/sh", "-c", "trap '' TERM; head -c 300000 /dev/zero > $SEATRIAL_ROOTFS/v/big; sleep 1000"],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    volumes = [{"name": "v", "emptyDir": {"sizeLimit": "64Ki"}}]
    await node.create(make_pod(container=spec, volumes=volumes, restartPolicy="Never"))
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    message = 'Usage of EmptyDir volume "v" exceeds the limit "64Ki". '
    assert (pod["status"]["reason"], pod["status"]["message"]) == ("Evicted", message)
    assert condition(pod, "DisruptionTarget")["reason"] == "TerminationByKubelet"
    assert container(pod)["state"]["terminated"]["exitCode"] == 137
    assert (await node.wait_event("Evicted"))["message"] == message
