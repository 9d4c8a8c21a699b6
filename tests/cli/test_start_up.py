"""What a command imports is what its user waits for."""

import importlib.util
import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "asyncio", "cryptography", "jinja2", "msgspec", "PIL", "pydantic", "rich", "structlog", "yaml"}


KILL = """
scenarios:
  - name: kill half
    steps:
      - podAction:
          matches: [{labels: {selector: app=goldpinger, namespace: default}}]
          filters: [{randomSample: {ratio: 0.5}}]
          actions: [{kill: {force: true}}]
"""
NOWHERE = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
"""


def modules_after(*arguments, code=0):
    script = (
        "import sys; from seatrial.cli.main import run; code = run(sys.argv[1:]); "
        "print('loaded:', *sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr.rpartition("loaded: ")[0]
    return done.stdout, set(done.stderr.rpartition("loaded: ")[2].split())


def imported_by(*arguments):
    output, modules = modules_after(*arguments)
    return output, {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], []], ids=["version", "help", "nothing"])
def test_the_version_and_the_help_import_nothing_heavy(arguments):
    """`seatrial --version` is quick because it imports click and no more."""
    output, modules = imported_by(*arguments)
    assert output
    assert modules & HEAVY == set()


def test_a_policy_is_checked_without_a_cluster_client():
    """`seatrial schema` needs the models; it doesn't need the sandbox, certificates or pictures."""
    _, modules = imported_by("schema")
    assert modules & {"PIL", "cryptography", "jinja2", "jwt"} == set()


def test_a_policy_that_kills_pods_loads_nothing_of_machines_and_failures(tmp_path):
    """Only what the policy names is loaded: no cloud, no way to machines, no choice of nodes, no failures to come."""
    policy, kubeconfig = tmp_path / "kill.yml", tmp_path / "kubeconfig"
    policy.write_text(KILL)
    kubeconfig.write_text(NOWHERE)
    where = ("--policy-file", str(policy), "--kubeconfig", str(kubeconfig), "--state-dir", str(tmp_path / "state"))
    _, modules = modules_after("autonomous", *where, code=3)
    assert "seatrial.actions.pods.kill" in modules
    unneeded = (
        "seatrial.actions.machine_stops",
        "seatrial.actions.pods.kill_on_machine",
        "seatrial.engine.failures",
        "seatrial.machines.scaling_groups",
        "seatrial.policy.failures",
        "seatrial.remote.node_shell",
        "seatrial.remote.ssh",
        "seatrial.risk",
        "seatrial.targets.node_selection",
    )
    assert modules & set(unneeded) == set()
    assert all(importlib.util.find_spec(name) for name in unneeded)
