"""Streams through the API server: kubectl's exec, cp, attach, run, debug, port-forward, and what is refused."""

import base64
import contextlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from seatrial.sandbox.kubelet.control import request
from seatrial.sandbox.owner import Sandbox
from tests.kubectls import kubectls
from tests.sandbox.cluster.sandboxes import Kubectl

_PODS = """
apiVersion: v1
kind: Pod
metadata: {name: talk, labels: {app: talk}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: one, image: "busybox:1.36", command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.2; done"]}
  - {name: two, image: "busybox:1.36", command: [sleep, "3600"]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: nginx, image: "nginx:1.25", ports: [{containerPort: 80, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
"""
_VERSIONS = [version for version in ("1.27", "1.30", "1.31", "1.33") if version in kubectls()]


@pytest.fixture(scope="module", autouse=True)
def pods(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=_PODS)
    kubectl("wait", "--for=condition=Ready", "pod/talk", "pod/web", "--timeout=30s")


class Versioned:
    """One version of kubectl on the shared sandbox; answers exit code and both outputs."""

    def __init__(self, program: str, cluster: Sandbox) -> None:
        self._command = [program, "--kubeconfig", str(cluster.kubeconfig), "--cache-dir", str(cluster.directory / "kc")]

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, bytes, bytes]:
        done = subprocess.run([*self._command, *arguments], input=stdin, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*self._command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(params=_VERSIONS)
def versioned(request: pytest.FixtureRequest, cluster: Sandbox) -> Versioned:
    return Versioned(kubectls()[request.param], cluster)


def test_exec(versioned: Versioned) -> None:
    """A command's outputs and exit code are kubectl's own, over SPDY and over WebSocket."""
    code, out, err = versioned("exec", "talk", "-c", "one", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (code, out) == (3, b"out\n")
    assert err == b"err\ncommand terminated with exit code 3\n"


def test_exec_reads_standard_input(versioned: Versioned) -> None:
    """What kubectl reads goes to the command, to its end; megabytes come back whole."""
    sent = b"0123456789abcdef" * 200_000
    code, out, _ = versioned("exec", "-i", "talk", "-c", "one", "--", "cat", stdin=sent)
    assert code == 0
    assert out == sent


def test_cp(versioned: Versioned, tmp_path: Path) -> None:
    """Files and directories are copied to a container and back."""
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_bytes(bytes(range(256)) * 4000)
    assert versioned("cp", "-c", "one", str(source), "talk:/tmp/there")[0] == 0
    assert versioned("exec", "talk", "-c", "one", "--", "ls", "/tmp/there/deep")[1] == b"file\n"
    assert versioned("cp", "-c", "one", "talk:/tmp/there", str(tmp_path / "back"))[0] == 0
    assert (tmp_path / "back" / "deep" / "file").read_bytes() == (source / "deep" / "file").read_bytes()
    versioned("exec", "talk", "-c", "one", "--", "rm", "-r", "/tmp/there")
    assert not Path("/tmp/there").exists()


def test_port_forward(versioned: Versioned) -> None:
    """A local port leads to the pod's, for one connection after another, until kubectl ends."""
    forwarding = versioned.start("port-forward", "pod/web", ":80")
    try:
        assert forwarding.stdout is not None
        found = re.search(rb"127\.0\.0\.1:(\d+) -> 80", forwarding.stdout.readline())
        assert found is not None
        url = f"http://127.0.0.1:{int(found[1])}/"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(3):
            assert b"Welcome to nginx!" in opener.open(url, timeout=10).read()
    finally:
        forwarding.terminate()
        forwarding.communicate(timeout=10)


def test_port_forward_to_a_closed_port(kubectl: Kubectl, versioned: Versioned) -> None:
    """Where nothing listens, kubectl tells the runtime's error and loses its connection."""
    del kubectl
    forwarding = versioned.start("port-forward", "pod/web", ":81")
    assert forwarding.stdout is not None
    found = re.search(rb"127\.0\.0\.1:(\d+) -> 81", forwarding.stdout.readline())
    assert found is not None
    # Whether the connection ends or is reset depends on whether kubectl had read what was sent.
    address = ("127.0.0.1", int(found[1]))
    with contextlib.suppress(ConnectionResetError), socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.recv(10) == b""
    _, err = forwarding.communicate(timeout=20)
    assert b"connect: connection refused" in err


def test_run_and_debug(versioned: Versioned, kubectl: Kubectl) -> None:
    """`run --rm -i` talks to a pod of its own; `debug` adds a container to one that runs."""
    code, out, _ = versioned(
        "run", "tmp", "--rm", "-i", "--restart=Never", "--image=busybox:1.36", "--", "cat", stdin=b"hi\n"
    )
    assert code == 0
    assert out.startswith(b"hi\n")
    name = f"debug-{abs(hash(out))}"
    versioned("debug", "talk", "--image=busybox:1.36", "-c", name, "--target=one", "--", "sh", "-c", "echo debugging")
    kubectl(
        "wait", "pod/talk", "--timeout=20s",
        "--for=jsonpath={.status.ephemeralContainerStatuses[-1:].state.terminated.exitCode}=0",
    )  # fmt: skip
    assert kubectl("logs", "talk", "-c", name) == "debugging\n"


def test_debug_a_node(versioned: Versioned, kubectl: Kubectl) -> None:
    """`debug node/NAME` runs a pod there that sees the machine's processes, and its files below /host."""
    script = "test -d /host/usr/bin && ! grep -q '^sh' /proc/1/comm && echo on the machine"
    code, out, err = versioned("debug", "node/node1", "--image=busybox:1.36", "--", "sh", "-c", script)
    found = re.search(r"node-debugger-node1-\w+", (out + err).decode())
    assert code == 0
    assert found is not None
    kubectl("wait", f"pod/{found[0]}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=20s")
    assert kubectl("logs", found[0]) == "on the machine\n"
    assert kubectl("get", "pod", found[0], "-o", "jsonpath={.spec.nodeName} {.spec.hostPID}") == "node1 true"
    kubectl("delete", "pod", found[0], "--now")


def test_proxy(versioned: Versioned) -> None:
    """`proxy` serves the whole API, and pods through it, without credentials on a local port."""
    proxy = versioned.start("proxy", "--port=0")
    try:
        assert proxy.stdout is not None
        found = re.search(rb"127\.0\.0\.1:(\d+)", proxy.stdout.readline())
        assert found is not None
        url = f"http://127.0.0.1:{int(found[1])}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert json.load(opener.open(f"{url}/api/v1/namespaces/default/pods/web", timeout=10))["kind"] == "Pod"
        path = "/api/v1/namespaces/default/services/web:http/proxy/"
        assert b"Welcome to nginx!" in opener.open(url + path, timeout=10).read()
    finally:
        proxy.terminate()
        proxy.communicate(timeout=10)


class Api:
    """Asks the API server as the administrator; answers status and body."""

    def __init__(self, cluster: Sandbox) -> None:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        access = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server = urllib.parse.urlsplit(access[0]["server"])
        self._tls, self._headers = _access(access, cluster.directory)

    def __call__(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPSConnection(
            str(self._server.hostname), self._server.port, timeout=20, context=self._tls
        )
        with contextlib.closing(connection):
            connection.request(method, path, headers={**self._headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    @property
    def authorization(self) -> str:
        """The line of a head that says who asks."""
        return "".join(f"{name}: {value}\r\n" for name, value in self._headers.items())

    def connect(self) -> ssl.SSLSocket:
        """A connection for whatever bytes."""
        plain = socket.create_connection((str(self._server.hostname), self._server.port), timeout=10)
        return self._tls.wrap_socket(plain, server_hostname=str(self._server.hostname))

    def upgrade(self, path: str) -> tuple[int, str]:
        """POST with an upgrade to SPDY."""
        return self("POST", path, Connection="Upgrade", Upgrade="SPDY/3.1")


@pytest.fixture(scope="module")
def api(cluster: Sandbox) -> Api:
    return Api(cluster)


def _access(access: tuple[dict[str, str], dict[str, str]], directory: Path) -> tuple[ssl.SSLContext, dict[str, str]]:
    cluster, user = access
    tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    if "token" in user:
        return tls, {"Authorization": f"Bearer {user['token']}"}
    for name in ("client-certificate-data", "client-key-data"):
        (directory / name).write_bytes(base64.b64decode(user[name]))
    tls.load_cert_chain(directory / "client-certificate-data", directory / "client-key-data")
    return tls, {}


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (
            "talk/exec?command=ls&stdout=1",
            400,
            "a container name must be specified for pod talk, choose one of: [one two]",
        ),
        ("talk/exec?container=x&stdout=1", 400, "container x is not valid for pod talk"),
        ("nosuch/attach", 404, 'pods "nosuch" not found'),
        ("talk/exec?container=one&command=ls&stdout=1", 400, "Upgrade request required"),
        ("web/portforward?ports=80", 400, "Upgrade request required"),
        ("web/portforward?ports=http", 400, 'strconv.ParseInt: parsing "http": invalid syntax'),
        ("web/log?tailLines=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        (
            "web/log?sinceTime=2026-13",
            400,
            'parsing time "2026-13" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "-"',
        ),
        ("ftp:web:80/proxy/", 400, 'invalid pod request "ftp:web:80"'),
        ("web:nosuchport/proxy/", 503, "error trying to reach service: dial tcp: lookup tcp/nosuchport: unknown port"),
    ],
)
def test_refusals(api: Api, path: str, code: int, message: str) -> None:
    """What needs no kubelet to be refused is refused in the API server's words."""
    status, body = api("GET", f"/api/v1/namespaces/default/pods/{path}")
    assert (status, json.loads(body)["message"]) == (code, message)


def test_a_proxy_without_a_path_redirects(api: Api) -> None:
    """A browser that leaves out the last slash is sent to where relative links work."""
    assert api("GET", "/api/v1/namespaces/default/pods/web/proxy")[0] == 301


@pytest.mark.parametrize(
    "junk", [b"\xff" * 3000, b"\x80\x03\x00\x01\xff\xff\xff\xff", b"\x82\xfe\xff\xffabcd", b"\x00" * 5000]
)
@pytest.mark.parametrize("path", ["exec?command=cat&stdin=1&stdout=1&container=one", "portforward"])
def test_junk_on_an_upgraded_connection_ends_it(api: Api, path: str, junk: bytes) -> None:
    """Frames that are none end the connection soon, over SPDY as over WebSocket, and nothing else."""
    spdy = "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io, portforward.k8s.io"
    socket_key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    websocket = f"Upgrade: websocket\r\n{socket_key}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io"
    query = f"{path}{'&' if '?' in path else '?'}ports=80"
    for upgrade in (spdy, websocket):
        with api.connect() as connection:
            head = f"GET /api/v1/namespaces/default/pods/talk/{query} HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\n"
            connection.sendall(f"{head}{upgrade}\r\n{api.authorization}\r\n".encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 101")
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while connection.recv(65536):
                    pass
    assert api("GET", "/healthz") == (200, "ok")


def test_proxies(api: Api) -> None:
    """HTTP goes through pods, services and nodes; a node answers as its kubelet."""
    for path in ("pods/web", "pods/http:web:80", "services/web:http", "services/web:80"):
        status, body = api("GET", f"/api/v1/namespaces/default/{path}/proxy/")
        assert status == 200
        assert "Welcome to nginx!" in body
    assert api("GET", "/api/v1/nodes/node1/proxy/healthz") == (200, "ok")
    assert api("GET", "/api/v1/nodes/node1:10250/proxy/healthz") == (200, "ok")
    assert api("GET", "/api/v1/nodes/nosuch/proxy/healthz")[0] == 404


def test_a_websocket_needs_the_right_to_create(api: Api, kubectl: Kubectl) -> None:
    """Who may `get` pods/exec, but not `create` it, can't run a command by a GET that becomes a WebSocket."""
    kubectl("create", "role", "reader", "--verb=get", "--resource=pods/exec,pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", "--user=jane")
    path = "/api/v1/namespaces/default/pods/talk/exec?container=one&command=ls&stdout=1"
    status, body = api("GET", path, **{"Impersonate-User": "jane"})
    assert status == 403
    assert 'User "jane" cannot create resource "pods/exec"' in json.loads(body)["message"]


def test_a_stopped_kubelet_fails_at_once(api: Api, kubectl: Kubectl, cluster: Sandbox) -> None:
    """With its kubelet stopped, a node's pods run on, but exec and logs fail with what the dial said."""
    kubectl("run", "lonely", "--image=busybox:1.36", "--command", "--", "sleep", "3600")
    kubectl("wait", "--for=condition=Ready", "pod/lonely", "--timeout=30s")
    node = kubectl("get", "pod", "lonely", "-o", "jsonpath={.spec.nodeName}")
    machine = cluster.directory / "machines" / node
    request(machine, {"stop": "kubelet"})
    try:
        _wait_refused(kubectl("get", "node", node, "-o", "jsonpath={.status.addresses[0].address}"))
        path = "/api/v1/namespaces/default/pods/lonely"
        status, body = api("GET", f"{path}/log")
        assert status == 500
        assert re.fullmatch(
            r'Get "https://[\d.]+:10250/containerLogs/default/lonely/lonely": '
            r"dial tcp [\d.]+:10250: connect: connection refused",
            json.loads(body)["message"],
        )
        status, body = api.upgrade(f"{path}/exec?command=ls&stdout=1")
        assert status == 500
        assert re.fullmatch(
            r"error dialing backend: dial tcp [\d.]+:10250: connect: connection refused", json.loads(body)["message"]
        )
    finally:
        request(machine, {"start": "kubelet"})


def _wait_refused(address: str) -> None:
    """Wait until a kubelet has hung up."""
    for _ in range(500):
        try:
            socket.create_connection((address, 10250), timeout=1).close()
        except ConnectionRefusedError:
            return
    raise AssertionError("the kubelet still listens")
