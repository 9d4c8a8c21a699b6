"""A pod whose port is redirected to a Toxiproxy beside it, with the manifests that a real cluster takes."""

import json
import time
import urllib.request

import pytest

from seatrial.sandbox.network.low_ports import bindable
from tests.sandbox.cluster.sandboxes import Kubectl

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s, labels: {app: %(name)s}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: redirect
    image: docker.io/gaiadocker/iproute2
    command: ["sh", "-c", "iptables -t nat -A PREROUTING -p tcp --dport 8080 -j REDIRECT --to-port 10000"]
    securityContext: {capabilities: {add: [NET_ADMIN]}}
  containers:
  - name: web
    image: hashicorp/http-echo
    args: ["-text=hello", "-listen=:8080"]
    ports: [{containerPort: 8080}]
    readinessProbe: {httpGet: {port: 8080, path: /}, periodSeconds: 1}
  - name: toxiproxy
    image: %(image)s
    ports: [{containerPort: 8474}]
    readinessProbe: {httpGet: {port: 8474, path: /version}, periodSeconds: 1}
"""


def timed_get(url: str) -> tuple[str, float]:
    """What is answered, and after how many seconds."""
    began = time.monotonic()
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- always http
        return answer.read().decode().strip(), time.monotonic() - began


@pytest.mark.parametrize(
    ("name", "image", "cli"),
    [
        ("old", "shopify/toxiproxy:2.1.4", "/go/bin/toxiproxy-cli"),
        ("new", "ghcr.io/shopify/toxiproxy:2.12.0", "/toxiproxy-cli"),
    ],
)
def test_a_redirected_port_suffers_the_toxics(kubectl: Kubectl, name: str, image: str, cli: str) -> None:
    """From outside it is as slow as the toxic says; within the pod nothing changes."""
    kubectl("apply", "-f", "-", stdin=MANIFEST % {"name": name, "image": image})
    started = "jsonpath={.status.containerStatuses[?(@.name=='toxiproxy')].ready}=true"
    kubectl("wait", f"--for={started}", f"pod/{name}", "--timeout=30s")
    address = kubectl("get", "pod", name, "-o", "jsonpath={.status.podIP}")
    create = (cli, "create", "auto8080", "--listen", "0.0.0.0:10000", "--upstream", "127.0.0.1:8080")
    kubectl("exec", name, "-c", "toxiproxy", "--", *create)
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
    url = f"http://{address}:{bindable(8080)}/"
    assert timed_get(url)[0] == "hello"
    kubectl(
        "exec", name, "-c", "toxiproxy", "--", cli, "toxic", "add", "auto8080", "-t", "latency", "-a", "latency=400"
    )
    text, seconds = timed_get(url)
    assert (text, seconds >= 0.4) == ("hello", True)
    with urllib.request.urlopen(f"http://{address}:{bindable(8474)}/proxies", timeout=10) as answer:
        assert [toxic["name"] for toxic in json.load(answer)["auto8080"]["toxics"]] == ["latency_downstream"]
    kubectl("delete", "pod", name, "--now")


def test_a_new_toxiproxy_image_has_no_shell(kubectl: Kubectl) -> None:
    """It holds its two programs and nothing else."""
    kubectl("run", "bare", "--image=ghcr.io/shopify/toxiproxy:2.12.0")
    kubectl("wait", "--for=condition=Ready", "pod/bare", "--timeout=30s")
    with pytest.raises(AssertionError, match="executable file not found"):
        kubectl("exec", "bare", "--", "sh", "-c", "true")
    kubectl("delete", "pod", "bare", "--now")
