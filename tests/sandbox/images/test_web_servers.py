"""nginx and http-echo, run as a container's program."""

import asyncio
import re
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from tests.sandbox.images.containers import Containers, listening


async def test_nginx_welcome(containers: Containers, pod_ip: str, session: aiohttp.ClientSession) -> None:
    """Without a volume nginx answers its welcome page at / and 404 elsewhere, and 405 to what it doesn't serve."""
    containers.start("nginx", "nginx", "-g", "daemon off;", environ={"SEATRIAL_POD_IP": pod_ip})
    url = await listening(pod_ip, 80)
    async with session.get(url) as answer:
        assert "Welcome to nginx!" in await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
    async with session.get(f"{url}/healthz") as answer:
        assert answer.status == 404
        assert "404 Not Found" in await answer.text()
    async with session.post(url) as answer:
        assert answer.status == 405


async def test_nginx_serves_a_volume(
    containers: Containers, pod_ip: str, volumes: Path, session: aiohttp.ClientSession
) -> None:
    """Files mounted at /usr/share/nginx/html are served with their type, and nothing outside of the volume."""
    root = volumes / "usr/share/nginx/html"
    (root / "..data").mkdir(parents=True)
    (root / "..data/index.html").write_text("<p>mine</p>")
    (root / "index.html").symlink_to("..data/index.html")
    (root / "out.txt").symlink_to("/etc/passwd")
    (volumes / "secret.txt").write_text("secret")
    containers.start("nginx", "nginx", environ={"SEATRIAL_POD_IP": pod_ip, "SEATRIAL_ROOTFS": str(volumes)})
    url = await listening(pod_ip, 80)
    async with session.get(url) as answer:
        assert (await answer.text(), answer.content_type) == ("<p>mine</p>", "text/html")
    for path in ("/missing.html", "/out.txt", "/../../../../secret.txt", "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret.txt"):
        async with session.get(url + path) as answer:
            assert answer.status == 404, path


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM])
async def test_nginx_log_and_end(
    containers: Containers, pod_ip: str, session: aiohttp.ClientSession, number: signal.Signals
) -> None:
    """Each request is a line of the combined log at once; the stop signal ends it with exit code 0."""
    process = containers.start("nginx", "nginx", environ={"SEATRIAL_POD_IP": pod_ip})
    url = await listening(pod_ip, 80)
    async with session.get(f"{url}/a?b=1", headers={"User-Agent": "tester"}):
        pass
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:[\d:]{8} \+0000\] "GET /a\?b=1 HTTP/1.1" 404 \d+ "-" "tester" "-"\n', line
    )
    assert await asyncio.to_thread(containers.stop, process, number) == 0


async def test_two_pods_have_the_same_port(containers: Containers, session: aiohttp.ClientSession) -> None:
    """Two pods listen on port 80 each, on their own addresses."""
    for address in ("127.253.77.1", "127.253.77.2"):
        containers.start("nginx", "nginx", environ={"SEATRIAL_POD_IP": address})
    for address in ("127.253.77.1", "127.253.77.2"):
        async with session.get(await listening(address, 80)) as answer:
            assert answer.status == 200


async def test_a_taken_port_is_said(containers: Containers, pod_ip: str) -> None:
    """A server that can't listen says so and fails, which is what a crash loop is made of."""
    containers.start("nginx", "nginx", environ={"SEATRIAL_POD_IP": pod_ip})
    await listening(pod_ip, 80)
    code, _, err = await asyncio.to_thread(containers.run, "nginx", "nginx", environ={"SEATRIAL_POD_IP": pod_ip})
    assert code == 1
    assert f"bind to {pod_ip}:80 failed" in err


async def test_http_echo(containers: Containers, pod_ip: str, session: aiohttp.ClientSession) -> None:
    """It answers its text with its status at every path, and `/health`."""
    containers.start(
        "hashicorp/http-echo",
        "http-echo",
        "-text=hello there",
        "-listen=:8000",
        "-status-code=201",
        environ={"SEATRIAL_POD_IP": pod_ip},
    )
    url = await listening(pod_ip, 8000)
    async with session.get(f"{url}/any/path") as answer:
        assert (answer.status, await answer.text()) == (201, "hello there\n")
    async with session.get(f"{url}/health") as answer:
        assert await answer.json() == {"status": "ok"}


def test_http_echo_without_text(containers: Containers) -> None:
    """Without a text it refuses to start."""
    code, _, err = containers.run("hashicorp/http-echo", "http-echo")
    assert (code, err) == (127, "Missing -text option or ECHO_TEXT env var!\n")


def test_pause_ends_when_told(containers: Containers) -> None:
    """`pause` waits for SIGTERM and succeeds."""
    process = containers.start("registry.k8s.io/pause:3.10", "/pause")
    while not waits_as_shell(process.pid):
        assert process.poll() is None
        time.sleep(0.005)
    assert containers.stop(process) == 0


def waits_as_shell(pid: int) -> bool:
    """Whether a process has become `pause` and handles SIGTERM (proc(5), `SigCgt`); there is no event that tells."""
    if not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/pause\0"):
        return False
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)
