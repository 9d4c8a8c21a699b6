"""busybox's applets, run as a container's program."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from seatrial.sandbox.images.busybox import coreutils
from tests.sandbox.images.containers import Containers, listening


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("true",), (0, "", "")),
        (("false",), (1, "", "")),
        (("echo", "two", "words"), (0, "two words\n", "")),
        (("echo", "-n", "no end"), (0, "no end", "")),
        (("hostname",), (0, "web-7\n", "")),
        (("busybox", "echo", "hi"), (0, "hi\n", "")),
        (("busybox", "vi"), (127, "", "vi: applet not found\n")),
        (("sleep", "soon"), (1, "", "sleep: invalid number 'soon'\n")),
        (("sleep", "0.01"), (0, "", "")),
        (("cat", "/nonexistent"), (1, "", "cat: can't open '/nonexistent': No such file or directory\n")),
        (("sh", "-c", "echo from $HOSTNAME; exit 3"), (3, "from web-7\n", "")),
    ],
)
def test_applets(containers: Containers, argv: tuple[str, ...], expected: tuple[int, str, str]) -> None:
    """Each applet prints and exits as the real one does."""
    assert containers.run("busybox", *argv, environ={"HOSTNAME": "web-7"}) == expected


def test_env(containers: Containers) -> None:
    """`env` prints the container's variables."""
    _, out, _ = containers.run("busybox", "env", environ={"COLOUR": "green"})
    assert "COLOUR=green" in out.splitlines()


def test_date(containers: Containers) -> None:
    """`date +FORMAT` prints the time in that form."""
    code, out, _ = containers.run("busybox", "date", "+%Y-%m")
    assert (code, len(out)) == (0, len("2026-01\n"))


def test_cat_reads_volumes(containers: Containers, volumes: Path) -> None:
    """A path below a mounted volume is the volume's file; `-` is standard input."""
    (volumes / "etc").mkdir()
    (volumes / "etc/colour").write_text("green\n")
    environ = {"SEATRIAL_ROOTFS": str(volumes)}
    assert containers.run("busybox", "cat", "/etc/colour", "-", environ=environ, stdin="red\n")[:2] == (
        0,
        "green\nred\n",
    )


def test_sleep_is_deaf_to_sigterm() -> None:
    """As a container's first process `sleep` ignores SIGTERM, which is why such pods use up their grace period."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert coreutils.sleep(["sleep", "0"], {}) == 0
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("text", "seconds"), [("5", 5), ("1.5", 1.5), ("2m", 120), ("1h", 3600), ("1d", 86400)])
def test_sleep_durations(text: str, seconds: float) -> None:
    """`sleep` takes seconds, minutes, hours and days."""
    assert coreutils.duration(text) == seconds


async def _serve(handler: Any, address: str) -> tuple[web.AppRunner, int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, address, 0)
    await site.start()
    return runner, runner.addresses[0][1]


async def test_wget(containers: Containers, pod_ip: str) -> None:
    """`wget -qO-` prints a page, follows redirects, and calls from the pod's own address."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/old":
            raise web.HTTPFound("/new?x=1")
        return web.Response(text=f"{request.method} {request.path_qs} from {request.remote} {request.headers['X-Me']}")

    runner, port = await _serve(answer, "127.0.0.1")
    try:
        code, out, err = await asyncio.to_thread(
            containers.run,
            "busybox",
            "wget",
            "-qO-",
            "--header",
            "X-Me: 7",
            f"http://127.0.0.1:{port}/old",
            environ={"SEATRIAL_POD_IP": pod_ip},
        )
    finally:
        await runner.cleanup()
    assert (code, out.replace("  ", " "), err) == (0, f"GET /new?x=1 from {pod_ip} 7", "")


async def test_wget_finds_services_by_their_variables(containers: Containers, pod_ip: str) -> None:
    """A bare Service name is found through the variables that a container gets."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.host)

    runner, port = await _serve(answer, pod_ip)
    try:
        _, out, err = await asyncio.to_thread(
            containers.run,
            "busybox",
            "wget",
            "-qO-",
            f"web-front:{port}",
            environ={"WEB_FRONT_SERVICE_HOST": pod_ip, "SEATRIAL_POD_IP": pod_ip},
        )
    finally:
        await runner.cleanup()
    assert (out, err) == (f"web-front:{port}", "")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_localhost_is_the_pod(containers: Containers, pod_ip: str, host: str) -> None:
    """What listens at the pod's own address is found at `localhost`, as within a real pod."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="here")

    runner, port = await _serve(answer, pod_ip)
    try:
        _, out, err = await asyncio.to_thread(
            containers.run, "busybox", "wget", "-qO-", f"{host}:{port}", environ={"SEATRIAL_POD_IP": pod_ip}
        )
    finally:
        await runner.cleanup()
    assert (out, err) == ("here", "")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://example.invalid/", "wget: not an http URL: https://example.invalid/"),
        ("--nonsense", "wget: the following arguments are required: url"),
    ],
)
def test_wget_refuses(containers: Containers, url: str, message: str) -> None:
    """What it can't do it says, with exit code 1."""
    code, _, err = containers.run("busybox", "wget", url)
    assert (code, err.strip()) == (1, message)


async def test_wget_fails_on_errors(containers: Containers) -> None:
    """An error status is exit code 1, as with the real one: probes count on it."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=503)

    runner, port = await _serve(answer, "127.0.0.1")
    try:
        code, _, err = await asyncio.to_thread(
            containers.run, "busybox", "wget", "-q", "--spider", f"http://127.0.0.1:{port}/"
        )
    finally:
        await runner.cleanup()
    assert (code, err) == (1, "wget: server returned error: HTTP/1.1 503 Service Unavailable\n")


def test_nc(containers: Containers, pod_ip: str) -> None:
    """`nc -z` tells whether somebody listens."""
    with socket.create_server((pod_ip, 0)) as server:
        port = str(server.getsockname()[1])
        assert containers.run("busybox", "nc", "-zv", pod_ip, port)[0] == 0
    code, _, err = containers.run("busybox", "nc", "-z", "-w", "2", pod_ip, port)
    assert (code, err) == (1, "nc: Connection refused\n")


async def test_httpd(containers: Containers, pod_ip: str, volumes: Path, session: aiohttp.ClientSession) -> None:
    """`httpd -f` serves a mounted directory on the pod's address and ends on SIGTERM."""
    (volumes / "www").mkdir()
    (volumes / "www/index.html").write_text("hello")
    environ = {"SEATRIAL_POD_IP": pod_ip, "SEATRIAL_ROOTFS": str(volumes)}
    process = containers.start("busybox", "httpd", "-f", "-p", "8000", "-h", "/www", environ=environ)
    url = await listening(pod_ip, 8000)
    async with session.get(f"{url}/") as answer:
        assert (answer.status, await answer.text()) == (200, "hello")
    async with session.get(f"{url}/../../etc/passwd") as answer:
        assert answer.status == 404
    assert await asyncio.to_thread(containers.stop, process) == 0


def test_httpd_without_f(containers: Containers) -> None:
    """Without `-f` it goes to the background, so that the container ends: a frequent mistake, shown as it is."""
    assert containers.run("busybox", "httpd", "-p", "8000")[0] == 0
