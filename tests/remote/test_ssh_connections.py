"""Connections that are slow to open, or that nobody answers on any more."""

import asyncio

import pytest

from seatrial.errors import MachineError
from seatrial.remote.ssh_connections import Opening, SshConnections
from seatrial.remote.ssh_host_keys import HostKeys
from seatrial.remote.ssh_settings import Address
from tests.remote.ssh_server import SshServer


def connections(**options):
    return SshConnections(Opening(credentials={"client_keys": None}, host_keys=HostKeys(allow_missing=True), **options))


async def run(made, server, command, heard=None):
    return await made.run(Address(server.host, server.port), command, machine="n1", timeout_seconds=60, heard=heard)


async def test_a_machine_that_takes_a_connection_and_says_nothing_is_given_up(home):
    """Within the time there is for a connection."""

    async def say_nothing(reader, writer):
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    made = connections(connect_seconds=0.3)
    with pytest.raises(MachineError, match="it did not answer in time"):
        await made.run(Address(host, port), "true", machine="n1", timeout_seconds=60, heard=None)
    await made.close()
    listener.close()


async def test_a_machine_that_vanishes_is_noticed(home):
    """By questions that it does not answer, long before the command's own time is over."""
    server = await SshServer().start()
    made = connections(keepalive_seconds=0.2)
    begun = asyncio.Event()
    work = asyncio.create_task(run(made, server, "echo begun; sleep 50", heard=lambda _line: begun.set()))
    await begun.wait()
    server.freeze()
    with pytest.raises(MachineError, match="broke while the command ran; it may run on"):
        await work
    server.thaw()
    await made.close()
    await server.stop()


async def test_closing_lets_go_of_all(home):
    """And what was closed can be used again: it opens anew."""
    server = await SshServer().start()
    made = connections()
    await run(made, server, "true")
    await made.close()
    await run(made, server, "true")
    await made.close()
    assert len(server.connections) == 2
    await asyncio.gather(*(connection.wait_closed() for connection in server.connections))
    await server.stop()
