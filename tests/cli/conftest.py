"""Policies and kubeconfigs as files, for commands that are given them."""

import asyncio
import json
import threading
from pathlib import Path

import pytest

from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig, write_kubeconfig
from tests.cli.endless_runs import endless  # noqa: F401 -- a fixture

WAITS = """
config: {runStrategy: {runs: 1}}
scenarios:
- name: waits a moment
  steps:
  - wait: {seconds: %s}
"""


@pytest.fixture
def write(tmp_path):
    """Writes a file and answers its path."""

    def write(text: str, name: str = "policy.yml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def nowhere(tmp_path, unused_tcp_port):
    """The kubeconfig of a cluster that doesn't answer."""
    path = tmp_path / "nowhere.kubeconfig"
    named = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{unused_tcp_port}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    path.write_text(json.dumps(named))
    return path


@pytest.fixture
def somewhere(tmp_path, authority):
    """The kubeconfig of an API server in a thread of its own: a command that listens to signals needs the main one."""
    kubeconfig = tmp_path / "somewhere.kubeconfig"
    ready, over = threading.Event(), threading.Event()

    async def serve():
        directory = tmp_path / "apiserver"
        directory.mkdir()
        config = ApiServerConfig(host="127.0.0.1", port=0, directory=directory, service_cidr="127.255.129.0/24")
        server = ApiServer(config, authority)
        await server.start()
        credential = authority.issue_client("admin", ["system:masters"])
        write_kubeconfig(kubeconfig, server=server.url, authority=authority, credential=credential)
        ready.set()
        await asyncio.to_thread(over.wait)
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="API server")
    thread.start()
    assert ready.wait(60)
    yield kubeconfig
    over.set()
    thread.join()
