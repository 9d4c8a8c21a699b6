"""The limit on requests at a time: reads and writes apart, long ones and administrators excepted."""

import ssl

import aiohttp
import pytest

from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.in_flight import InFlight
from seatrial.sandbox.apiserver.request_info import parse
from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig
from seatrial.sandbox.pki import Authority

USER = User("jane")
ADMINISTRATOR = User("root", ("system:masters",))
POD = "/api/v1/namespaces/default/pods/p"


def test_reads_and_writes_are_counted_apart() -> None:
    """A flood of reads leaves room for writes; who leaves makes room."""
    in_flight = InFlight(1, 1)
    read, write = parse("GET", POD, {}), parse("DELETE", POD, {})
    assert in_flight.enter(read, USER)
    assert not in_flight.enter(read, USER)
    assert in_flight.enter(write, USER)
    in_flight.leave(read)
    assert in_flight.enter(read, USER)


def test_administrators_and_kubelets_are_always_let_in() -> None:
    """Somebody has to be able to end the flood, and nodes mustn't seem dead in one."""
    in_flight = InFlight(1, 1)
    read = parse("GET", POD, {})
    assert in_flight.enter(read, USER)
    assert in_flight.enter(read, ADMINISTRATOR)
    assert in_flight.enter(read, User("system:node:n", ("system:nodes",)))


@pytest.mark.parametrize(
    ("path", "query"),
    [("/api/v1/pods", {"watch": "1"}), (f"{POD}/log", {}), (f"{POD}/exec", {}), (f"{POD}/portforward", {})],
)
def test_what_lives_long_is_not_counted(path: str, query: dict[str, str]) -> None:
    """A hundred watches are no flood."""
    in_flight = InFlight(1, 1)
    for _ in range(3):
        assert in_flight.enter(parse("GET", path, query), USER)
    assert in_flight.enter(parse("GET", POD, {}), USER)


async def test_who_is_not_let_in_is_told_when_to_come_again(authority: Authority) -> None:
    """429, with the seconds to wait in Retry-After."""
    config = ApiServerConfig("127.0.0.1", 0, authority.directory, "127.3.128.0/17", "administrator", most_reading=0)
    server = ApiServer(config, authority)
    await server.start()
    tls = ssl.create_default_context(cafile=str(authority.ca_file))
    headers = {"Authorization": "Bearer administrator"}
    try:
        async with aiohttp.ClientSession(
            server.url, connector=aiohttp.TCPConnector(ssl=tls), headers=headers
        ) as client:
            answer = await client.get("/version")
            assert answer.status == 200
            answer = await client.get("/version", headers={"Impersonate-User": "jane"})
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    finally:
        await server.stop()
