"""Nodes with addresses, and SSH servers at these."""

import asyncssh
import pytest

from seatrial.kube.resources import NODES
from seatrial.remote.ssh import EXECUTOR
from tests.remote.ssh_server import SshServer, free_port


class Machines:
    """Nodes of a cluster whose machines have SSH servers, and the ways to them."""

    def __init__(self, control, home):
        self.control = control
        self.home = home
        self.port = free_port()
        self.servers = {}
        self._executors = []

    async def add(self, name, address="127.0.0.1", *, serve=True, addresses=None, **options):
        """A node, and its machine's SSH server."""
        kinds = {"InternalIP": address} if addresses is None else addresses
        body = {"metadata": {"name": name}}
        status = {"addresses": [{"type": kind, "address": each} for kind, each in kinds.items()]}
        await self.control.cluster.create(NODES, body)
        await self.control.cluster.patch(NODES, name, {"status": status}, subresource="status")
        if serve:
            self.servers[name] = await SshServer(host=address, port=self.port, **options).start()
            self.know(self.servers[name])
        return self.servers.get(name)

    def know(self, *servers):
        """Their host keys are known."""
        self.home.joinpath(".ssh").mkdir(exist_ok=True)
        with self.home.joinpath(".ssh", "known_hosts").open("a") as file:
            file.writelines(server.known_hosts_line for server in servers)

    def configure(self, text):
        self.home.joinpath(".ssh").mkdir(exist_ok=True)
        self.home.joinpath(".ssh", "config").write_text(text)

    async def executor(self, **variables):
        """An executor as flags and variables make it."""
        made = await EXECUTOR.connect(self.control.cluster, {"SEATRIAL_SSH_PORT": str(self.port), **variables})
        self._executors.append(made)
        return made

    async def close(self):
        for executor in self._executors:
            await executor.close()
        for server in self.servers.values():
            await server.stop()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without keys, agent or configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


@pytest.fixture
async def machines(control, home):
    """Machines that are reached over SSH."""
    made = Machines(control, home)
    yield made
    await made.close()


@pytest.fixture
def key(home):
    """A private key in a file, and who has its public half."""
    private = asyncssh.generate_private_key("ssh-ed25519")
    path = home / "key"
    private.write_private_key(str(path))
    path.chmod(0o600)
    private.write_public_key(str(home / "authorized"))
    return path
