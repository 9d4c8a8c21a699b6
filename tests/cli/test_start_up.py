"""What a command imports is what its user waits for."""

import importlib.util
import os
import re
import subprocess
import sys
from functools import partial

import pytest

from tests.shell.terminals import Terminal

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


SHADOW = """
import sys
print("the shadow was loaded", file=sys.stderr)
"""
SHADOWED = """
[seatrial.pod_actions]
kill = shadow:ACTION
[pydantic]
shadow = shadow:PLUGIN
"""


def after_a_kill(tmp_path, script):
    """What a script says after a run of `KILL` has found no cluster."""
    policy, kubeconfig = tmp_path / "kill.yml", tmp_path / "kubeconfig"
    policy.write_text(KILL)
    kubeconfig.write_text(NOWHERE)
    where = ("--policy-file", str(policy), "--kubeconfig", str(kubeconfig), "--state-dir", str(tmp_path / "state"))
    return after(script, "autonomous", *where, code=3)[1]


def after(script, *arguments, code=0):
    script = (
        f"import sys; from seatrial.cli.main import run; code = run(sys.argv[1:]); "
        f"print('loaded:', *({script}), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr.rpartition("loaded:")[0]
    return done.stdout, set(done.stderr.rpartition("loaded:")[2].split())


def modules_after(*arguments, code=0):
    return after("sys.modules", *arguments, code=code)


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
    """Only what the policy names is loaded: no cloud, no way to machines, no other steps, actions and matchers."""
    modules = after_a_kill(tmp_path, "sys.modules")
    assert modules >= {"seatrial.actions.pods.kill", "seatrial.storage.recorder"}
    unneeded = (
        "seatrial.actions.machine_stops",
        "seatrial.actions.manifest_text",
        "seatrial.actions.manifests",
        "seatrial.actions.pods.evict",
        "seatrial.actions.pods.exec",
        "seatrial.actions.pods.kill_on_machine",
        "seatrial.actions.pods.stop_host",
        "seatrial.engine.failures",
        "seatrial.engine.plan",
        "seatrial.engine.saved_plan",
        "seatrial.engine.policy_changes",
        "seatrial.engine.timetable",
        "seatrial.machines.scaling_groups",
        "seatrial.policy.failures",
        "seatrial.policy.notifications",
        "seatrial.policy.objectives",
        "seatrial.policy.secret_sources",
        "seatrial.remote.node_shell",
        "seatrial.remote.ssh",
        "seatrial.risk",
        "seatrial.slo.objective",
        "seatrial.steps.wait",
        "seatrial.storage.postgres",
        "seatrial.targets.node_selection",
        "seatrial.targets.pod_matchers.by_owner",
        "seatrial.targets.pod_matchers.by_place",
        "seatrial.targets.pod_matchers.by_service",
        "seatrial.targets.pod_matchers.by_workload",
    )
    assert modules & set(unneeded) == set()
    assert all(importlib.util.find_spec(name) for name in unneeded)


def test_a_small_run_defines_no_dataclasses(tmp_path):
    """Defining one takes as long as 25 structs of msgspec."""
    classes = (
        "{each.__name__ for name in sys.modules if name.startswith('seatrial')"
        " for each in vars(sys.modules[name]).values()"
        " if isinstance(each, type) and each.__module__ == name and '__dataclass_fields__' in vars(each)}"
    )
    assert after_a_kill(tmp_path, classes) == set()


def test_a_small_run_does_not_look_through_installed_packages(tmp_path):
    """What is built in is found without asking for what others add, and can't be replaced by that."""
    (tmp_path / "shadow.py").write_text(SHADOW)
    metadata = tmp_path / "shadow-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shadow\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(SHADOWED)
    (tmp_path / "kill.yml").write_text(KILL)
    (tmp_path / "kubeconfig").write_text(NOWHERE)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "SEATRIAL_STATE_DIR": str(tmp_path / "state")}
    run = partial(subprocess.run, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    program = [sys.executable, "-m", "seatrial"]
    killed = run([*program, "autonomous", "--policy-file", "kill.yml", "--kubeconfig", "kubeconfig"])
    assert (killed.returncode, "shadow" in killed.stderr) == (3, False), killed.stderr
    asked = run([*program, "schema"])
    assert asked.returncode == 2
    assert "two packages define 'kill' in seatrial.pod_actions" in asked.stderr


async def test_the_first_prompt_waits_for_nothing_of_a_cluster(tmp_path):
    """When the interactive shell's prompt is on the screen, no client, model, engine or table has been imported yet."""
    script = (
        "import os, pathlib, sys; from seatrial.cli import interactive; from seatrial.cli.main import run\n"
        "def loaded(): pathlib.Path(sys.argv.pop()).write_text(' '.join(sys.modules)); os._exit(0)\n"
        "interactive._load = loaded; run(['interactive'])"
    )
    names = tmp_path / "modules"
    environ = {"HOME": str(tmp_path), "SEATRIAL_STATE_DIR": str(tmp_path / "state")}
    async with Terminal([sys.executable, "-c", script, str(names)], environ=environ) as terminal:
        await terminal.ended()
    modules = set(names.read_text().split())
    assert "prompt_toolkit" in modules
    assert {name.partition(".")[0] for name in modules} & (HEAVY - {"asyncio", "msgspec"}) == set()
    ours = {name for name in modules if re.match(r"seatrial\.[a-z_]+\.", name)}
    beyond = {name for name in ours if not name.startswith(("seatrial.cli.", "seatrial.shell."))}
    assert beyond == {
        "seatrial.engine.interrupts", "seatrial.machines.inventory", "seatrial.runtime.guardrails",
    }  # fmt: skip
    assert not any(name.startswith("seatrial.shell.commands.") for name in ours)
