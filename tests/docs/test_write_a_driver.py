"""The page about writing a driver: its code is installed as a package, and stops and starts machines of a virsh."""

import asyncio
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from seatrial.cli.machine_options import MachineChoice
from seatrial.cli.session import SessionOptions, run_session
from seatrial.errors import MachineError
from seatrial.machines.driver import Capability, MachineGone, MachineState
from seatrial.machines.registry import driver_types, find_driver
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model
from tests.steps.test_node_action import create_nodes

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-driver.md"
ONE, TWO = "5f1d0000-0000-4000-8000-000000000001", "5f1d0000-0000-4000-8000-000000000002"

# A guest takes its time: what `shutdown` began, the second look at it finds done.
VIRSH = """#!/bin/sh
set -e
echo "$*" >> "$VIRSH_STATE/calls"
test "$1" = --connect || exit 2
shift 2
test ! -e "$VIRSH_STATE/hangs" || { echo $$ > "$VIRSH_STATE/pid"; exec sleep 60; }
state="$VIRSH_STATE/$2.state"
case "$1" in
  list) cd "$VIRSH_STATE"; for each in *.state; do echo "${each%.state}"; done; exit ;;
esac
test -e "$state" || { echo "error: failed to get domain '$2'" >&2; exit 1; }
case "$1" in
  domname) cat "$VIRSH_STATE/$2.name" ;;
  domstate) cat "$state"; if [ "$(cat "$state")" = "in shutdown" ]; then echo "shut off" > "$state"; fi ;;
  start | reboot | reset) echo running > "$state" ;;
  shutdown) echo "in shutdown" > "$state" ;;
  destroy) echo "shut off" > "$state" ;;
  *) exit 2 ;;
esac
"""


@dataclass
class Host:
    """A machine with virsh, and two virtual ones that are called as nodes are."""

    directory: Path

    def calls(self):
        return (self.directory / "calls").read_text()

    def state(self, machine):
        return (self.directory / f"{machine}.state").read_text().strip()


@pytest.fixture
def host(tmp_path, monkeypatch):
    """The page's package is installed; a virsh is on the PATH."""
    text = PAGE.read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [[group, entry]] = re.findall(r'```toml\n\[project\.entry-points\."(.+)"\]\n(.+)\n```', text)
    packages, programs, state = (tmp_path / each for each in ("packages", "programs", "state"))
    for each in (packages / "my_package-1.0.dist-info", programs, state):
        each.mkdir(parents=True)
    (packages / "libvirt_machines.py").write_text(code)
    metadata = {"METADATA": "Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", "entry_points.txt": None}
    metadata["entry_points.txt"] = f"[{group}]\n{entry.replace(chr(34), '')}\n"
    for name, content in metadata.items():
        (packages / "my_package-1.0.dist-info" / name).write_text(content)
    (programs / "virsh").write_text(VIRSH)
    (programs / "virsh").chmod(stat.S_IRWXU)
    for machine, name, it_is in ((ONE, "a", "running"), (TWO, "b", "shut off")):
        (state / f"{machine}.name").write_text(name)
        (state / f"{machine}.state").write_text(it_is)
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("VIRSH_STATE", str(state))
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu+ssh://rack1/system")
    driver_types.cache_clear()
    yield Host(state)
    driver_types.cache_clear()


def test_the_example_is_short():
    """Some sixty lines of code: empty ones, docstrings and imports aside."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [each for each in code.splitlines() if each.strip() and not re.match(r'\s*("""|import|from)', each)]
    assert len(lines) <= 65


async def test_the_driver_of_the_page_is_found_and_works(host):
    """By the entry point, as any plugin: it lists, stops, starts, and does nothing where nothing is to be done."""
    driver = await find_driver("libvirt", None)
    assert [(each.id, each.name, each.state) for each in await driver.list()] == [
        (ONE, "a", MachineState.UP),
        (TWO, "b", MachineState.DOWN),
    ]
    await driver.start(TWO)
    await driver.start(TWO)
    assert (await driver.describe(TWO)).state is MachineState.UP
    await driver.stop(TWO, force=True)
    await driver.reboot(ONE)
    assert (host.state(ONE), host.state(TWO)) == ("running", "shut off")
    assert host.calls().count(f"start {TWO}") == 1
    assert await driver.start_command(ONE) == f"virsh --connect qemu+ssh://rack1/system start {ONE}"
    await driver.close()


async def test_the_driver_of_the_page_refuses_in_words(host, monkeypatch):
    """What it can't do, a machine that isn't there, a host without virsh."""
    driver = await find_driver("libvirt", None)
    with pytest.raises(MachineError, match="can't delete machines"):
        await driver.require(Capability.DELETE)
    with pytest.raises(MachineGone, match="virsh domname moon: error: failed to get domain 'moon'"):
        await driver.stop("moon")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MachineError, match="can't run virsh") as caught:
        await driver.list()
    assert "install libvirt" in caught.value.hint


async def test_an_interrupted_wait_leaves_no_virsh_behind(host):
    """The command that was waited for is ended."""
    driver = await find_driver("libvirt", None)
    (host.directory / "hangs").touch()
    listing = asyncio.create_task(driver.list())
    pid = host.directory / "pid"
    async with asyncio.timeout(30):
        while not (pid.exists() and pid.read_text().strip()):  # noqa: ASYNC110 -- a file tells nobody
            await asyncio.sleep(0.01)
        listing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listing
        while is_alive(int(pid.read_text())):  # noqa: ASYNC110 -- the system tells nobody
            await asyncio.sleep(0.01)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_policy_stops_machines_by_the_driver_of_the_page(control, host):
    """As `--cloud libvirt` has it: the node's machine is found by its name, and is down when the step ends."""
    await create_nodes(control, "a")
    step = {
        "nodeAction": {
            "matches": [{"property": {"name": "name", "value": "a"}}],
            "actions": [{"stop": {"autoRestart": False}}],
        }
    }
    options = SessionOptions(
        policy=policy_model().model_validate(
            {"config": {"runStrategy": {"runs": 1}}, "scenarios": [{"name": "stop it", "steps": [step]}]}
        ),
        policy_name="p.yml",
        kubeconfig=control.directory / "kubeconfig",
        state_directory=control.directory / "journal",
        recovery_timeout_seconds=0,
        machines=MachineChoice(cloud="libvirt"),
    )
    result = await run_session(options, [])
    assert result.verdict is Verdict.PASSED, result.reasons
    assert host.state(ONE) == "shut off"
    assert f"shutdown {ONE}" in host.calls()
