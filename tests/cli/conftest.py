"""Policies and kubeconfigs as files, for commands that are given them."""

import json
from pathlib import Path

import pytest

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
