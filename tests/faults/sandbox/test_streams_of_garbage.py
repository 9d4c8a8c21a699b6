"""Garbage in the streams of exec, attach and port-forward, and on a kubelet's own port: nobody else notices."""

import json
import random
import socket
import ssl
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.sandbox.bodies import Body, until
from tests.faults.sandbox.raw_http import RawClient

pytestmark = pytest.mark.timeout(300)

_POD = """
apiVersion: v1
kind: Pod
metadata: {name: host}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: nginx, stdin: true, tty: true, ports: [{containerPort: 8080}]}]
"""
_WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
_SPDY = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}
_PATHS = {
    "exec?command=cat&stdin=1&stdout=1&stderr=1": "v5.channel.k8s.io",
    "exec?command=sh&stdin=1&stdout=1&tty=1": "v4.channel.k8s.io",
    "attach?stdin=1&stdout=1&tty=1": "v5.channel.k8s.io",
    "portforward?ports=8080": "v4.channel.k8s.io",
    "portforward": "SPDY/3.1+portforward.k8s.io",
}


@pytest.fixture(scope="module")
def pod(body: Body) -> Iterator[Body]:
    """A pod whose kubelet must be the same process in the end, and its log without an error."""
    body.kubectl("apply", "-f", "-", stdin=_POD)
    body.wait("condition=Ready", "pod/host")
    before = body.kubelet("node1"), body.container("host")
    yield body
    assert until(lambda: body.kubectl("exec", "host", "--", "echo", "here")) == "here\n"
    assert (body.kubelet("node1"), body.container("host")) == before
    said = body.sandbox.home.log.read_text()
    assert "Traceback" not in said, said[-2000:]


def _client(body: Body) -> RawClient:
    """A client with the administrator's token."""
    token = yaml.safe_load(body.sandbox.kubeconfig.read_text())["users"][0]["user"]["token"]
    host, _, port = body.sandbox.record.server.removeprefix("https://").partition(":")
    tls = ssl.create_default_context(cafile=str(body.sandbox.directory / "pki" / "ca.crt"))
    return RawClient((host, int(port)), tls=tls, headers={"Authorization": f"Bearer {token}"})


def _frame(draw: random.Random, payload: bytes) -> bytes:
    """Something like a WebSocket frame: any opcode, any length, masked or not."""
    length = draw.choice((len(payload), draw.randrange(126), 0))
    first = draw.choice((0x82, 0x81, 0x80, 0x88, 0x89, 0x8A, 0x02, draw.randrange(256)))
    return bytes((first, length | draw.choice((0x80, 0x80, 0)))) + draw.randbytes(4) + payload


def _spdy(draw: random.Random, payload: bytes) -> bytes:
    """Something like a SPDY frame: control or data, any type, flags and length."""
    head = draw.choice((b"\x80\x03", b"\x00\x00", draw.randbytes(2)))
    kind = bytes((0, draw.choice((1, 2, 3, 4, 6, 7, 8, 9, draw.randrange(256)))))
    length = draw.choice((len(payload), draw.randrange(64), 0, 2**24 - 1))
    return head + kind + bytes((draw.randrange(4),)) + length.to_bytes(3, "big") + payload


@settings(max_examples=60)
@given(path=st.sampled_from(sorted(_PATHS)), seed=st.integers(0, 2**32), kind=st.sampled_from(("websocket", "spdy")))
def test_frames_that_are_none(pod: Body, path: str, seed: int, kind: str) -> None:
    """Whatever comes instead of frames ends its own stream at most."""
    draw, spdy = random.Random(seed), kind == "spdy"
    client = _client(pod)
    headers = _SPDY if spdy else {**_WEBSOCKET, "Sec-WebSocket-Protocol": _PATHS[path]}
    head = f"GET /api/v1/namespaces/default/pods/host/{path} HTTP/1.1\r\nHost: x\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in {**client._headers, **headers}.items())
    with client.connect() as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert connection.recv(12) in (b"HTTP/1.1 101", b"HTTP/1.1 400", b"HTTP/1.1 403")
        make = _spdy if spdy else _frame
        pieces = [make(draw, draw.randbytes(draw.randrange(40))) for _ in range(draw.randrange(1, 8))]
        try:
            connection.sendall(draw.choice((b"".join(pieces), draw.randbytes(200))))
        except OSError:
            return  # hung up already


def _answer_over_tls(plain: socket.socket, tls: ssl.SSLContext, node: str) -> bytes:
    """What a request without a certificate is answered; nothing where the other side hangs up."""
    try:
        with tls.wrap_socket(plain, server_hostname=node) as connection:
            connection.sendall(b"GET /pods HTTP/1.1\r\nHost: x\r\n\r\n")
            return connection.recv(1000)
    except OSError:
        return b""


@settings(max_examples=40)
@given(data=st.binary(max_size=300))
def test_a_kubelets_port(pod: Body, data: bytes) -> None:
    """A kubelet hangs up on whoever has no certificate, in TLS or without it, and goes on."""
    node = pod.kubectl.json("get", "node", "node1")["status"]["addresses"][0]["address"]
    with socket.create_connection((node, 10250), timeout=10) as plain:
        plain.sendall(data)
    tls = ssl.create_default_context(cafile=str(pod.sandbox.directory / "pki" / "ca.crt"))
    with socket.create_connection((node, 10250), timeout=10) as plain:
        assert _answer_over_tls(plain, tls, node) == b""


@settings(max_examples=60)
@given(
    method=st.sampled_from(("GET", "POST", "PUT", "DELETE", "PATCH")),
    path=st.lists(
        st.sampled_from(("machines", "components", "partitions", "disturbance", "node1", "stop", "..", "%00")),
        max_size=4,
    ),
    data=st.sampled_from(
        (
            "",
            "null",
            "[]",
            "{",
            '{"zone": 1}',
            '{"zone": "x", "others": ["y"]}',
            '{"latency": "x"}',
            '{"error_rate": -1}',
        )
    ),
    who=st.sampled_from(("administrator", "stranger")),
)
def test_control_paths(pod: Body, method: str, path: list[str], data: str, who: str) -> None:
    """Commands to the sandbox itself: strangers are refused, and nonsense gets an answer below 500."""
    stranger = who == "stranger"
    if path[-1:] == ["stop"] and not stranger:
        path = path[:-1]
    client = _client(pod)
    headers = {"Authorization": ""} if stranger else {}
    answer = client.request(method, "/sandbox/v1/" + "/".join(path), headers=headers, body=data.encode())
    client.close()
    assert answer.status < 500, answer.body
    if stranger:
        assert answer.status in (403, 405), answer.body


def test_service_accounts_may_not_command(pod: Body) -> None:
    """A pod's own account may not switch machines off."""
    token = pod.kubectl("create", "token", "default").strip()
    client = _client(pod)
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.request("POST", "/sandbox/v1/machines/node2/stop", headers=headers)
    client.close()
    assert answer.status == 403
    assert json.loads(answer.body)["reason"] == "Forbidden"
