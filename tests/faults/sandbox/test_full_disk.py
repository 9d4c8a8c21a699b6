"""A disk that takes no more: the cluster goes on answering, says what is lost, and works again when there is room."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.owner import start_sandbox
from seatrial.sandbox.timing import SANDBOX
from tests.faults.sandbox.bodies import Body, limited, until
from tests.sandbox.cluster.sandboxes import assert_nothing_left

pytestmark = pytest.mark.timeout(180)

_NOISY = 'i=0; while true; do i=$((i+1)); echo "line $i {}"; done'.replace("{}", "." * 1000)
_PODS = f"""
apiVersion: v1
kind: Pod
metadata: {{name: noisy}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{{name: c, image: busybox, command: [sh, -c, '{_NOISY}']}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: quiet}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{{name: c, image: busybox, command: [sleep, "1000"]}}]
"""
_VOLUMES = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: b}
---
apiVersion: v1
kind: Pod
metadata: {name: late}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox
    command: [sh, -c, "echo $(cat /settings/a); sleep 1000"]
    volumeMounts: [{name: settings, mountPath: /settings}, {name: room, mountPath: /room}]
  volumes: [{name: settings, configMap: {name: settings}}, {name: room, emptyDir: {}}]
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a file system can't be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def _sandbox(directory: Path, audit_log: Path) -> Iterator[Body]:
    config = ClusterConfig(
        name="box", directory=directory, nodes=1, audit_log=str(audit_log), timing=SANDBOX.scaled(0.1)
    )
    owned = start_sandbox(config)
    try:
        yield Body(owned.sandbox)
    finally:
        owned.close()
    record = owned.sandbox.record
    assert_nothing_left(record.sandbox_id, server=record.server, directory=directory)


def _fill(place: Path) -> Path:
    """A file that takes all the room there is."""
    file = place / "fill"
    with file.open("wb", buffering=0) as opened:
        while True:
            try:
                opened.write(bytes(4096))
            except OSError:
                return file


def _events(body: Body, pod: str) -> str:
    return body.kubectl("get", "events", "--field-selector", f"involvedObject.name={pod}")


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """Pods run on, exec and writes to the API work; a pod that needs room says so in an event and waits for it."""
    audit = small_disk / "audit.log"
    with _sandbox(small_disk / "sandboxes" / "box", audit) as body:
        body.kubectl("apply", "-f", "-", stdin=_PODS)
        body.wait("condition=Ready", "pod/quiet", "pod/noisy")
        noisy = body.container("noisy")
        fill = _fill(small_disk)
        assert body.kubectl("exec", "quiet", "--", "echo", "here") == "here\n"
        body.kubectl("apply", "-f", "-", stdin=_VOLUMES)
        until(lambda: "No space left on device" in _events(body, "late"))
        assert body.kubectl("get", "nodes", "--no-headers").split()[1] == "Ready"
        assert body.container("noisy") == noisy
        body.kubectl("delete", "pod", "noisy", "--wait=false")
        fill.unlink()
        body.wait("condition=Ready", "pod/late")
        until(lambda: body.kubectl("logs", "late").strip() == "b")
        audit.unlink(missing_ok=True)


def test_logs_that_can_not_grow(tmp_path: Path) -> None:
    """Where files can't grow any larger, lines of logs are dropped: pods run on, and what was written can be read."""
    audit = tmp_path / "audit.log"
    with limited(resource.RLIMIT_FSIZE, 300_000), _sandbox(tmp_path / "state" / "box", audit) as body:
        body.kubectl("apply", "-f", "-", stdin=_PODS)
        body.wait("condition=Ready", "pod/quiet", "pod/noisy")
        noisy = body.container("noisy")
        until(lambda: "container log incomplete" in body.sandbox.home.log.read_text())
        text = body.kubectl("logs", "noisy")
        assert text.startswith("line 1 ")
        assert text.endswith(".\n")
        assert body.kubectl("exec", "quiet", "--", "echo", "here") == "here\n"
        for _ in range(200):
            if "audit log incomplete" in body.sandbox.home.log.read_text():
                break
            body.kubectl("get", "--raw", "/api/v1/pods?" + "x" * 4000)
        assert body.container("noisy") == noisy
        assert audit.stat().st_size <= 300_000
