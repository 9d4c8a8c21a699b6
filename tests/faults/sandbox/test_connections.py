"""Clients that misuse their connections: they are cut off in time, and nobody else notices."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from seatrial.sandbox.apiserver import http_protocol, watch_stream
from tests.faults.sandbox.raw_http import RawClient
from tests.faults.sandbox.servers import Served, serving

pytestmark = pytest.mark.timeout(180)

_CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that is quicker to lose patience."""
    patience = pytest.MonkeyPatch()
    patience.setattr(http_protocol, "IDLE_SECONDS", 1.0)
    patience.setattr("seatrial.sandbox.apiserver.server.IDLE_SECONDS", 1.0)
    patience.setattr(http_protocol, "BODY_SECONDS", 1.0)
    patience.setattr(watch_stream, "WRITE_PATIENCE_SECONDS", 1.0)
    with serving(tmp_path_factory.mktemp("served")) as found:
        yield found
    patience.undo()


@pytest.fixture
def client(served: Served) -> Iterator[RawClient]:
    """A client that behaves."""
    made = served.client()
    yield made
    made.close()


@contextmanager
def _connections(client: RawClient, *said: str) -> Iterator[list[ssl.SSLSocket]]:
    """Connections of their own, each with what is said on it at once: the server's patience begins with it."""
    made = []
    try:
        for text in said:
            made.append(client.connect())
            made[-1].sendall(text.encode())
        yield made
    finally:
        for connection in made:
            connection.close()


def _is_closed(connection: ssl.SSLSocket) -> bool:
    """Wait until the server hangs up; what it says before is thrown away."""
    connection.settimeout(20)
    try:
        while connection.recv(65536):
            pass
    except (ConnectionError, ssl.SSLError):
        return True
    return True


def _create(client: RawClient, name: str, size: int) -> None:
    body = json.dumps({"metadata": {"name": name}, "data": {"x": "x" * size}}).encode()
    assert client.request("POST", _CONFIG_MAPS, body=body).status == 201


def test_silent_clients_are_cut_off(served: Served, client: RawClient) -> None:
    """Two hundred connections that say nothing, or half a request, are closed; meanwhile others are served."""
    heads = ("", "GET /api", "GET /api HTTP/1.1\r\nHost: x\r\nX: ")
    with _connections(client, *(heads[index % 3] for index in range(200))) as idle:
        assert client.request("GET", "/version").status == 200
        assert all(map(_is_closed, idle))


def test_a_body_that_never_ends(served: Served, client: RawClient) -> None:
    """Requests whose bodies don't arrive get 504 and free their places: as many writes as may be in flight again."""
    head = f"POST {_CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer administrator\r\n"
    head += "Content-Length: 100\r\n\r\n{"
    with _connections(client, *[head] * 210) as slow:
        statuses = {connection.recv(12) for connection in slow}
        assert statuses <= {b"HTTP/1.1 504", b"HTTP/1.1 429"}
        assert b"HTTP/1.1 504" in statuses
        _create(client, "afterwards", 1)


def test_broken_handshakes(served: Served, client: RawClient) -> None:
    """Connections that break off before TLS stands, or talk no TLS, leave nothing open."""
    import socket

    host, _, port = served.server.url.removeprefix("https://").partition(":")
    beginnings = (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    before = psutil.Process().num_fds()
    for index in range(100):
        with socket.create_connection((host, int(port))) as plain:
            plain.sendall(beginnings[index % 3])
    assert client.request("GET", "/version").status == 200
    assert psutil.Process().num_fds() <= before + 20


def test_a_watcher_that_stops_reading(served: Served, client: RawClient) -> None:
    """It is dropped once its backlog or the server's patience ends; memory stays bounded, another watcher sees all."""
    request = f"GET {_CONFIG_MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer administrator\r\n\r\n"
    with _connections(client, *[request] * 20) as deaf:
        assert {connection.recv(12) for connection in deaf} == {b"HTTP/1.1 200"}
        before = psutil.Process().memory_info().rss
        _create(client, "big", 10)
        # More than the kernel takes for them, and then for longer than the server waits.
        for number in range(150):
            _patch(client, "big", f"{number:03d}" * 30_000)
        enough = time.monotonic() + 3 * watch_stream.WRITE_PATIENCE_SECONDS
        while time.monotonic() < enough:
            _patch(client, "big", str(time.monotonic_ns()))
        grown = psutil.Process().memory_info().rss - before
        assert all(map(_is_closed, deaf))
    assert grown < 250e6, f"{grown / 1e6:.0f} MB"


def _patch(client: RawClient, name: str, value: str) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    body = json.dumps({"data": {"x": value}}).encode()
    answer = client.request("PATCH", f"{_CONFIG_MAPS}/{name}", headers=headers, body=body)
    assert answer.status == 200, answer


def test_a_hundred_clients_at_once(served: Served) -> None:
    """A hundred clients that list, watch and patch at once are all answered, and the last value is the last written."""
    failures: list[object] = []

    def work(number: int) -> None:
        client = served.client()
        try:
            _create(client, f"of-{number}", 100)
            for turn in range(5):
                patch = json.dumps({"data": {"turn": str(turn)}}).encode()
                answers = [
                    client.request(
                        "PATCH",
                        f"{_CONFIG_MAPS}/of-{number}",
                        headers={"Content-Type": "application/merge-patch+json"},
                        body=patch,
                    ),
                    client.request("GET", _CONFIG_MAPS),
                    client.request("GET", f"{_CONFIG_MAPS}?watch=1&timeoutSeconds=1"),
                ]
                failures.extend(answer for answer in answers if answer.status != 200)
        except Exception as error:  # noqa: BLE001 -- whatever happens in a thread is told by the test
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    client = served.client()
    found = json.loads(client.request("GET", _CONFIG_MAPS).body)["items"]
    turns = [each["data"]["turn"] for each in found if each["metadata"]["name"].startswith("of-")]
    assert turns == ["4"] * 100
    client.close()


def test_nobody_complained(served: Served) -> None:
    """None of this is an error of the server's: its log has nothing of it."""
    assert served.complaints.texts == []
