"""What a user sees with kubectl, on a real sandbox."""

import json
import os
import re
import signal
import urllib.request
from typing import Any

import pytest

from seatrial.sandbox.network.low_ports import bindable
from tests.sandbox.cluster.sandboxes import Kubectl, listener_at


def fetch(address: str, port: int, path: str = "/") -> str:
    """GET by plain HTTP, without the environment's proxies."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{address}:{bindable(port)}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def pods(kubectl: Kubectl, selector: str = "app=goldpinger") -> list[Any]:
    """The pods that a selector finds."""
    found: list[Any] = kubectl.json("get", "pods", "-l", selector)["items"]
    return found


def test_nodes(kubectl: Kubectl) -> None:
    """Four nodes are Ready, spread over the zones, as `get nodes` prints them."""
    lines = kubectl("get", "nodes", "-L", "topology.kubernetes.io/zone,topology.kubernetes.io/region").splitlines()
    assert lines[0].split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION", "ZONE", "REGION"]
    rows = [line.split() for line in lines[1:]]
    assert [(row[0], row[1], row[5], row[6]) for row in rows] == [
        ("node1", "Ready", "west-1", "west"),
        ("node2", "Ready", "west-2", "west"),
        ("node3", "Ready", "east-1", "east"),
        ("node4", "Ready", "east-2", "east"),
    ]


def test_pods_are_spread_over_nodes(kubectl: Kubectl, goldpinger: str) -> None:
    """Three replicas run on three nodes, with addresses of their node's range."""
    assert goldpinger
    found = pods(kubectl)
    assert len({pod["spec"]["nodeName"] for pod in found}) == 3
    for pod in found:
        node = pod["spec"]["nodeName"].removeprefix("node")
        assert pod["status"]["podIP"].split(".")[2] == node


def test_service_answers_by_its_cluster_ip(goldpinger: str) -> None:
    """The Service's cluster IP leads to a goldpinger, which reaches the two others."""
    answer = json.loads(fetch(goldpinger, 8080, "/check_all"))
    assert (answer["OK"], answer["hosts-number"]) == (True, 3)


def test_describe_shows_the_pods_story(kubectl: Kubectl, goldpinger: str) -> None:
    """`describe pod` shows the events of a pod's start, in order."""
    assert goldpinger
    text = kubectl("describe", "pod", pods(kubectl)[0]["metadata"]["name"])
    story = re.findall(r"Normal\s+(Scheduled|Pulled|Created|Started)", text)
    assert sorted(set(story)) == ["Created", "Pulled", "Scheduled", "Started"]
    assert "Readiness:" in text


def test_logs(kubectl: Kubectl, goldpinger: str) -> None:
    """`logs` prints what the pod's process wrote."""
    assert goldpinger
    assert "goldpinger listens on" in kubectl("logs", pods(kubectl)[0]["metadata"]["name"])


def test_a_killed_process_is_restarted(kubectl: Kubectl, goldpinger: str) -> None:
    """A container whose process is killed is started again by its kubelet, in the same pod."""
    assert goldpinger
    pod = pods(kubectl)[0]
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    os.kill(listener_at(address, 8080), signal.SIGKILL)
    kubectl("wait", f"pod/{name}", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "--timeout=30s")
    kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=30s")
    ended = kubectl.json("get", "pod", name)["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "Error")


def test_a_deleted_pod_is_replaced(kubectl: Kubectl, goldpinger: str) -> None:
    """A force-deleted pod is gone at once; `get pods --watch` shows its replacement come up Ready."""
    assert goldpinger
    names = {pod["metadata"]["name"] for pod in pods(kubectl)}
    victim = min(names)
    watch = kubectl.start("get", "pods", "--watch", "--no-headers", "-l", "app=goldpinger")
    assert watch.stdout is not None
    try:
        for _ in names:
            assert watch.stdout.readline().split()[1:3] == ["1/1", "Running"]
        kubectl("delete", "pod", victim, "--force", "--grace-period=0")
        statuses = []
        while True:
            name, ready, status, *_ = watch.stdout.readline().split()
            if name not in names:
                statuses.append(status)
                if ready == "1/1":
                    break
    finally:
        watch.kill()
        watch.communicate()
    assert list(dict.fromkeys(statuses)) == ["Pending", "ContainerCreating", "Running"]
    assert victim not in {pod["metadata"]["name"] for pod in pods(kubectl)}
    assert json.loads(fetch(goldpinger, 8080, "/healthz"))["OK"]


def test_scale(kubectl: Kubectl, goldpinger: str) -> None:
    """A Deployment is scaled up and down, and the processes follow."""
    assert goldpinger
    kubectl("scale", "deployment/goldpinger", "--replicas=5")
    kubectl("rollout", "status", "deployment/goldpinger", "--timeout=30s")
    assert len(pods(kubectl)) == 5
    kubectl("scale", "deployment/goldpinger", "--replicas=3")
    kubectl("wait", "deployment/goldpinger", "--for=jsonpath={.status.replicas}=3", "--timeout=30s")


def test_low_ports(kubectl: Kubectl) -> None:
    """Two nginx pods listen on port 80 each; their Service's port 80 leads to them; a config map is their page."""
    kubectl("apply", "-f", "-", stdin=NGINX)
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    address = kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    assert fetch(address, 80) == "<p>from a config map</p>"


def test_unknown_images_are_not_pulled(kubectl: Kubectl) -> None:
    """A pod whose image nobody knows waits in ErrImagePull."""
    kubectl("run", "lost", "--image=example.com/nothing:1")
    waiting = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
    kubectl("wait", "pod/lost", f"--for={waiting}=ErrImagePull", "--timeout=30s")
    kubectl("delete", "pod", "lost", "--now")


def test_users_images(kubectl: Kubectl) -> None:
    """An image that was given to the sandbox runs its command, with the pod's environment."""
    kubectl("run", "counter", "--image=me/counter:7", "--env=START=41", "--restart=Never")
    kubectl("wait", "pod/counter", "--for=condition=Ready", "--timeout=30s")
    assert kubectl("logs", "counter") == "counting from 41\n"
    kubectl("delete", "pod", "counter", "--now")


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (3, "Failed")])
def test_one_shot_pods(kubectl: Kubectl, code: int, phase: str) -> None:
    """A pod that isn't restarted ends as its process did."""
    name = f"once-{code}"
    kubectl("run", name, "--image=busybox:1.36", "--restart=Never", "--", "sh", "-c", f"echo bye; exit {code}")
    kubectl("wait", f"pod/{name}", f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=30s")
    assert kubectl("logs", name) == "bye\n"


NGINX = """
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index.html: "<p>from a config map</p>"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      volumes: [{name: page, configMap: {name: page}}]
      containers:
        - name: nginx
          image: nginx:1.27
          ports: [{containerPort: 80, name: http}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
          volumeMounts: [{name: page, mountPath: /usr/share/nginx/html}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
"""
