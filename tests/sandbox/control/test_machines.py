"""Machines that come and go while something is done with them."""

import asyncio
from pathlib import Path

import pytest

from seatrial.sandbox.control import machines as machines_module
from seatrial.sandbox.control.freezer import FrozenTree
from seatrial.sandbox.control.machines import Machines, UnknownMachineError
from seatrial.sandbox.kubelet.machine_config import MachineConfig


class PaperLauncher:
    """Starts machines on paper."""

    def __init__(self) -> None:
        self.machines: dict[str, int] = {}

    async def start_machine(self, config: MachineConfig) -> int:
        """It runs."""
        self.machines[config.node_name] = 4_000_000
        return self.machines[config.node_name]


def config(name: str) -> MachineConfig:
    """A machine to be."""
    file = Path("/nonexistent")
    return MachineConfig(
        node_name=name, address="127.16.0.11", pod_cidr="127.16.1.0/24", zone="z-1", region="z", group="g",
        instance_id=name, directory=file, api_server="https://127.16.0.1:6443", ca_file=file, client_cert_file=file,
        client_key_file=file, serving_cert_file=file, serving_key_file=file,
    )  # fmt: skip


async def test_a_machine_that_ends_while_it_is_frozen_is_stopped_and_not_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So it can be started again."""
    launcher = PaperLauncher()
    machines = Machines(launcher)  # type: ignore[arg-type] # as much of a Launcher as they use
    await machines.add(config("node1"))

    def end_meanwhile(_pid: int) -> FrozenTree:
        launcher.machines.clear()
        return FrozenTree((), ())

    monkeypatch.setattr(machines_module, "freeze", end_meanwhile)
    assert (await machines.pause("node1")).state == "stopped"
    assert (await machines.start("node1")).state == "running"


async def test_a_machine_that_was_deleted_is_none_of_the_sandbox_any_more() -> None:
    """It is not listed, nothing can be done to it, and who waited to start it learns that it is gone."""

    class EndingLauncher(PaperLauncher):
        """Ends a machine when its power is cut, and says so at once."""

        def cut_power(self, name: str) -> None:
            del self.machines[name]
            machines.ended(name)

    machines = Machines(EndingLauncher())  # type: ignore[arg-type] # as much of a Launcher as they use
    await machines.add(config("node1"))
    await machines.add(config("node2"))
    deleting, starting = await asyncio.gather(machines.delete("node1"), machines.start("node1"), return_exceptions=True)
    assert getattr(deleting, "state", None) == "stopped"
    assert isinstance(starting, UnknownMachineError)
    assert [each.name for each in machines.list()] == ["node2"]
    for act in (machines.start, machines.stop, machines.reboot, machines.pause, machines.delete):
        with pytest.raises(UnknownMachineError):
            await act("node1")
