"""Login programs: run when needed, with what the protocol says, and their answers kept as long as they hold."""

import base64
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from seatrial.kube import errors
from seatrial.kube.client import connect
from tests.kube.conftest import WriteKubeconfig
from tests.kube.fake_apiserver import FakeApiServer, answer, serving, status

_VERSION = {"gitVersion": "v1.36.2"}
_V1 = "client.authentication.k8s.io/v1"
_V1BETA1 = "client.authentication.k8s.io/v1beta1"

# Prints the next answer of a file, and writes down what it was given.
_PROGRAM = """\
import json, os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
runs = json.loads((folder / "runs").read_text()) if (folder / "runs").exists() else []
runs.append({"info": json.loads(os.environ["KUBERNETES_EXEC_INFO"]), "extra": os.environ.get("EXTRA")})
(folder / "runs").write_text(json.dumps(runs))
answers = json.loads((folder / "answers").read_text())
print(json.dumps(answers[min(len(runs), len(answers)) - 1]))
"""


class Plugin:
    """A login program on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "plugin.py").write_text(_PROGRAM)

    def user(self, *statuses: dict[str, Any], version: str = _V1, **options: Any) -> dict[str, Any]:
        """A user entry that runs it; it prints these one after the other, and then the last again."""
        answers = [{"apiVersion": version, "kind": "ExecCredential", "status": status_} for status_ in statuses]
        (self._folder / "answers").write_text(json.dumps(answers))
        arguments = [str(self._folder / "plugin.py"), str(self._folder)]
        return {"exec": {"apiVersion": version, "command": sys.executable, "args": arguments, **options}}

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What it was given at each run."""
        found: list[dict[str, Any]] = json.loads((self._folder / "runs").read_text())
        return found


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """A login program."""
    (tmp_path / "plugin").mkdir()
    return Plugin(tmp_path / "plugin")


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("version", [_V1, _V1BETA1])
async def test_a_token_is_asked_for_once(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin, version: str
) -> None:
    """A credential without an end serves all requests, in both versions of the protocol."""
    server.on("GET", "/version", _VERSION)
    user = plugin.user(
        {"token": "abc"}, version=version, interactiveMode="Never", env=[{"name": "EXTRA", "value": "7"}]
    )
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        await client.version()
        await client.version()
    assert [sent.headers["Authorization"] for sent in server.sent] == ["Bearer abc"] * 2
    expected = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    assert plugin.runs == [{"info": expected, "extra": "7"}]


async def test_an_expired_token_is_replaced(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin
) -> None:
    """One that is about to end counts as expired; one that lasts is kept."""
    server.on("GET", "/version", _VERSION)
    user = plugin.user(
        {"token": "old", "expirationTimestamp": _in(1)}, {"token": "new", "expirationTimestamp": _in(3600)}
    )
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        for _ in range(3):
            await client.version()
    used = [sent.headers["Authorization"] for sent in server.sent]
    assert set(used[1:]) == {"Bearer new"}
    assert len(plugin.runs) == 2


async def test_a_refused_token_is_replaced_once(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin
) -> None:
    """After a 401 the program runs again and the request is repeated; a second 401 is final."""
    server.on("GET", "/version", status(401, "Unauthorized"), _VERSION)
    user = plugin.user({"token": "a"}, {"token": "b"})
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        assert await client.version() == "v1.36.2"
        assert [sent.headers["Authorization"] for sent in server.sent] == ["Bearer a", "Bearer b"]
        server.on("GET", "/version", status(401, "Unauthorized"))
        with pytest.raises(errors.Unauthorized):
            await client.version()
    assert len(plugin.runs) == 3


async def test_many_requests_at_once_run_it_once(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin
) -> None:
    """A login may open a browser: one window is enough."""
    import asyncio

    server.on("GET", "/version", _VERSION)
    async with await connect(kubeconfig=write_kubeconfig(server, user=plugin.user({"token": "a"}))) as client:
        await asyncio.gather(*(client.version() for _ in range(10)))
    assert len(plugin.runs) == 1


async def test_a_certificate_takes_part_in_the_handshake(write_kubeconfig: WriteKubeconfig, plugin: Plugin) -> None:
    """A program may give a client certificate instead of a token."""
    async with serving(client_certificates=True) as server:
        server.on("GET", "/version", _VERSION)
        me = server.authority.issue_cert("me@example.org")
        pair = {
            "clientCertificateData": me.cert_chain_pems[0].bytes().decode(),
            "clientKeyData": me.private_key_pem.bytes().decode(),
        }
        async with await connect(kubeconfig=write_kubeconfig(server, user=plugin.user(pair))) as client:
            assert await client.version() == "v1.36.2"
        assert "Authorization" not in server.sent[0].headers


async def test_the_cluster_is_described_where_asked_for(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin
) -> None:
    """With `provideClusterInfo` the program learns the server, its authority and its own extension."""
    server.on("GET", "/version", _VERSION)
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    path = write_kubeconfig(
        server, user=plugin.user({"token": "a"}, provideClusterInfo=True), cluster={"extensions": [extension]}
    )
    async with await connect(kubeconfig=path) as client:
        await client.version()
    assert plugin.runs[0]["info"]["spec"]["cluster"] == {
        "server": server.url,
        "certificate-authority-data": base64.b64encode(server.authority_pem).decode(),
        "config": {"audience": "x"},
    }


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ({"token": ""}, "neither a token nor a certificate"),
        ({"clientCertificateData": "x"}, "neither a token nor a certificate"),
        ({"token": 5}, "printed no ExecCredential"),
    ],
)
async def test_an_answer_without_credentials_is_said(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin, printed: dict[str, Any], message: str
) -> None:
    """What was printed is not shown: it may be half a secret."""
    async with await connect(kubeconfig=write_kubeconfig(server, user=plugin.user(printed))) as client:
        with pytest.raises(errors.CredentialsError, match=message):
            await client.version()


async def test_an_answer_of_another_version_is_said(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin
) -> None:
    """The kubeconfig and the program have to agree."""
    user = plugin.user({"token": "a"}, version=_V1BETA1)
    user["exec"]["apiVersion"] = _V1
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        with pytest.raises(errors.CredentialsError, match=r"v1beta1.*where the kubeconfig says"):
            await client.version()


async def test_a_program_that_fails_is_quoted(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """Its exit code and the last line of its complaints."""
    program = "import sys; print('secret'); print('a\\nyou must log in', file=sys.stderr); sys.exit(3)"
    user = {"exec": {"apiVersion": _V1, "command": sys.executable, "args": ["-c", program]}}
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        with pytest.raises(errors.CredentialsError, match="exit code 3: you must log in") as refused:
            await client.version()
    assert "secret" not in refused.value.message


async def test_a_program_that_isn_t_there_comes_with_its_install_hint(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig
) -> None:
    """The kubeconfig's author wrote how to install it."""
    user = {"exec": {"apiVersion": _V1, "command": "no-such-login", "installHint": "Install\n  it"}}
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        with pytest.raises(errors.CredentialsError, match="can't run no-such-login") as refused:
            await client.version()
    assert refused.value.hint == "Install it"


async def test_a_relative_program_is_the_kubeconfig_s(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, tmp_path: Path
) -> None:
    """`./login` stands beside the kubeconfig, wherever we are."""
    login = tmp_path / "login"
    credential = json.dumps({"apiVersion": _V1, "kind": "ExecCredential", "status": {"token": "near"}})
    login.write_text(f"#!/bin/sh\necho '{credential}'\n")
    login.chmod(0o700)
    server.on("GET", "/version", _VERSION)
    user = {"exec": {"apiVersion": _V1, "command": "./login"}}
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        await client.version()
    assert server.sent[0].headers["Authorization"] == "Bearer near"


async def test_a_program_that_hangs_is_ended_with_the_call(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, tmp_path: Path
) -> None:
    """The deadline of the call counts for the login too, and no process stays behind."""
    import psutil

    note = f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))"
    program = f"import os, pathlib, time; {note}; time.sleep(60)"
    user = {"exec": {"apiVersion": _V1, "command": sys.executable, "args": ["-S", "-c", program]}}
    async with await connect(kubeconfig=write_kubeconfig(server, user=user), timeout_seconds=1.5) as client:
        with pytest.raises(errors.RequestTimeout):
            await client.version()
    pid = tmp_path / "pid"
    assert not pid.exists() or not psutil.pid_exists(int(pid.read_text()))


class _Terminal:
    """Looks like a terminal to who asks."""

    def isatty(self) -> bool:
        """Yes."""
        return True


async def test_a_program_that_may_ask_runs_before_the_first_call(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may have to find a telephone: the deadline of a call is too short for that."""
    monkeypatch.setattr("sys.stdin", _Terminal())
    async with await connect(kubeconfig=write_kubeconfig(server, user=plugin.user({"token": "a"}))):
        assert [run["info"]["spec"]["interactive"] for run in plugin.runs] == [True]
    assert server.sent == []


async def test_a_program_that_asks_and_gets_no_answer_is_given_up_and_said(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After minutes without a login nobody is there to log in."""
    monkeypatch.setattr("sys.stdin", _Terminal())
    monkeypatch.setattr("seatrial.kube.auth._LOGIN_SECONDS", 0.2)
    waits = {"apiVersion": _V1, "command": sys.executable, "args": ["-c", "import time; time.sleep(600)"]}
    with pytest.raises(errors.CredentialsError, match=r"did not log in within 0\.2 s"):
        await connect(kubeconfig=write_kubeconfig(server, user={"exec": waits}))


async def test_a_program_that_must_ask_needs_a_terminal(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one it isn't even started."""
    monkeypatch.setattr("sys.stdin", None)

    async def never(_request: web.Request) -> web.StreamResponse:
        return answer(_VERSION)

    server.on("GET", "/version", never)
    user = plugin.user({"token": "a"}, interactiveMode="Always")
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        with pytest.raises(errors.CredentialsError, match="terminal"):
            await client.version()
    assert server.sent == []
