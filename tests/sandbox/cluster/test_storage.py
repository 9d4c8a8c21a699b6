"""Persistent volumes in a running sandbox: what pods write survives them, and goes with the claim."""

import json
from pathlib import Path

from seatrial.sandbox.api import Object
from tests.sandbox.cluster.sandboxes import Kubectl


def writer(name: str, text: str) -> str:
    """A pod that adds a line to a file on the claim `data`, and ends."""
    mount = {"name": "data", "mountPath": "/data"}
    command = ["sh", "-c", f"echo {text} >> /data/lines; cat /data/lines"]
    spec: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "containers": [{"name": "c", "image": "busybox", "command": command, "volumeMounts": [mount]}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def test_data_outlives_pods_and_goes_with_the_claim(kubectl: Kubectl) -> None:
    """The second pod reads what the first one wrote; with the claim, the directory goes."""
    claim: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(claim))
    for name, text in (("first", "one"), ("second", "two")):
        kubectl("create", "-f", "-", stdin=writer(name, text))
        kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=20s")
    assert kubectl("logs", "second").split() == ["one", "two"]
    volume = kubectl.json("get", "pvc", "data")["spec"]["volumeName"]
    directory = Path(kubectl.json("get", "pv", volume)["spec"]["hostPath"]["path"])
    assert (directory / "lines").read_text().split() == ["one", "two"]
    kubectl("delete", "pod", "first", "second")
    kubectl("delete", "pvc", "data")
    kubectl("wait", "--for=delete", f"pv/{volume}", "--timeout=20s")
    assert not directory.exists()
