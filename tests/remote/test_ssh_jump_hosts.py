"""Machines that are reached through others."""

import asyncio

import pytest

from seatrial.errors import MachineError
from tests.remote.ssh_server import SshServer


@pytest.fixture
async def bastion(machines):
    """A jump host, at a port of its own."""
    server = await SshServer(host="127.0.0.9", forwards=True).start()
    machines.know(server)
    yield server
    await server.stop()


def flag(*servers):
    return {"SEATRIAL_SSH_JUMP_HOST": ",".join(f"ops@{server.host}:{server.port}" for server in servers)}


async def test_all_machines_are_reached_through_one_connection(machines, bastion):
    """`--ssh-jump-host`, with a user of its own."""
    servers = [await machines.add(f"n{index}", f"127.0.0.{index + 1}") for index in range(3)]
    executor = await machines.executor(**flag(bastion))
    await asyncio.gather(*(executor.run(f"n{index}", "true") for index in range(3)))
    assert [len(server.commands) for server in servers] == [1, 1, 1]
    assert len(bastion.connections) == 1
    assert bastion.users == ["ops"]
    assert sorted(bastion.forwarded) == [(server.host, server.port) for server in servers]


async def test_the_user_of_the_machines_logs_in_on_the_jump_host_too(machines, bastion):
    """Unless the flag or ~/.ssh/config has somebody else for it; what a person would type says who."""
    await machines.add("n1")
    jump = f"{bastion.host}:{bastion.port}"
    for line in ("", f"Host {bastion.host}\n  User ops\n"):
        machines.configure(line)
        executor = await machines.executor(SEATRIAL_SSH_JUMP_HOST=jump, PS_REMOTE_USER="core")
        await executor.run("n1", "true")
    assert bastion.users == ["core", "ops"]
    assert f" -J ops@{jump} " in await executor.by_hand("n1", "true")


async def test_jump_hosts_of_the_configuration_are_used(machines, bastion):
    """`ProxyJump` in ~/.ssh/config, also one behind another; each once for all machines."""
    second = await machines.add("second", "127.0.0.8", forwards=True)
    servers = [await machines.add(f"n{index}", f"127.0.0.{index + 1}") for index in range(2)]
    hops = f"{bastion.host}:{bastion.port},core@{second.host}:{second.port}"
    machines.configure(f"Host 127.0.0.1 127.0.0.2\n  ProxyJump {hops}\n")
    executor = await machines.executor()
    await asyncio.gather(*(executor.run(f"n{index}", "true") for index in range(2)))
    assert [len(server.commands) for server in servers] == [1, 1]
    assert [len(server.connections) for server in (bastion, second)] == [1, 1]
    assert bastion.forwarded == [(second.host, second.port)]
    assert second.users == ["core"]


async def test_a_jump_host_that_broke_is_connected_to_again(machines, bastion):
    """And so are the machines behind it."""
    await machines.add("n1")
    executor = await machines.executor(**flag(bastion))
    await executor.run("n1", "true")
    bastion.cut()
    assert (await executor.run("n1", "echo back")).output == "back\n"
    assert len(bastion.connections) == 2


async def test_what_the_jump_host_can_not_reach_is_said(machines, bastion):
    """The machine is meant, not the jump host."""
    await machines.add("n1", serve=False)
    executor = await machines.executor(**flag(bastion))
    with pytest.raises(MachineError, match=f"behind ops@127.0.0.9:{bastion.port}: the jump host can't reach it"):
        await executor.run("n1", "true")


async def test_an_unknown_key_behind_a_jump_host_is_added_through_it(machines, bastion):
    """Nobody here could ask the machine for it."""
    await machines.add("n1")
    known = machines.home / "known"
    known.write_text(bastion.known_hosts_line)
    executor = await machines.executor(**flag(bastion), SEATRIAL_SSH_KNOWN_HOSTS=str(known))
    with pytest.raises(MachineError, match="its host key is not known") as caught:
        await executor.run("n1", "true")
    jump = f"ops@127.0.0.9:{bastion.port}"
    assert f"ssh -J {jump} -o UserKnownHostsFile={known} -p {machines.port} 127.0.0.1;" in caught.value.hint


async def test_a_jump_host_that_is_not_there_is_said(machines, bastion):
    """By its own address."""
    await machines.add("n1")
    await bastion.stop()
    executor = await machines.executor(**flag(bastion))
    with pytest.raises(MachineError, match=r"no SSH connection to ops@127\.0\.0\.9:\d+: it refused"):
        await executor.run("n1", "true")
