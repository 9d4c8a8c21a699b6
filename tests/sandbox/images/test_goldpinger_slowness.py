"""A goldpinger that is now and then slow, as its container's variables say."""

import asyncio
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from seatrial.sandbox.images.goldpinger.settings import SettingError
from seatrial.sandbox.images.goldpinger.slowness import Slowness
from tests.sandbox.images.containers import Containers, listening

IMAGE = ("bloomberg/goldpinger:v3.10.0", "goldpinger")


def _wait_until_handled(pid: int, number: signal.Signals) -> None:
    """Wait until a process has a handler of its own for a signal (`SigCgt` in proc(5)); there is no event for that."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        if int(next(line.split()[1] for line in lines if line.startswith("SigCgt")), 16) >> (number - 1) & 1:
            return
        time.sleep(0.01)
    raise TimeoutError


async def test_without_variables_it_is_never_slow() -> None:
    """The defaults wait for nothing."""
    assert Slowness.read({}) == Slowness()


async def test_an_instance_that_is_slow_to_start_listens_late(containers: Containers, pod_ip: str) -> None:
    """With a share of 1 every instance waits before it listens."""
    begun = time.monotonic()
    environ = {"SEATRIAL_POD_IP": pod_ip, "HOST": "0.0.0.0", "PORT": "8080"}
    containers.start(*IMAGE, environ={**environ, "SANDBOX_SLOW_START_SHARE": "1", "SANDBOX_SLOW_START": "1500ms"})
    await listening(pod_ip, 8080)
    assert time.monotonic() - begun >= 1.5


async def test_an_instance_that_waits_to_start_can_be_stopped(containers: Containers, pod_ip: str) -> None:
    """It obeys the signal as one that listens does."""
    environ = {"SEATRIAL_POD_IP": pod_ip, "HOST": "0.0.0.0", "PORT": "8080"}
    slow = {"SANDBOX_SLOW_START_SHARE": "1", "SANDBOX_SLOW_START": "10m"}
    process = containers.start(*IMAGE, environ={**environ, **slow})
    await asyncio.to_thread(_wait_until_handled, process.pid, signal.SIGTERM)
    assert await asyncio.to_thread(containers.stop, process) == 0


async def test_a_slow_answer_comes_late(containers: Containers, pod_ip: str, session: aiohttp.ClientSession) -> None:
    """With a share of 1 every request waits, and is answered as ever."""
    environ = {"SEATRIAL_POD_IP": pod_ip, "HOST": "0.0.0.0", "PORT": "8080"}
    containers.start(*IMAGE, environ={**environ, "SANDBOX_SLOW_ANSWER_SHARE": "1", "SANDBOX_SLOW_ANSWER": "400ms"})
    url = await listening(pod_ip, 8080)
    begun = time.monotonic()
    async with session.get(f"{url}/healthz") as answer:
        assert (await answer.json())["OK"] is True
    assert time.monotonic() - begun >= 0.4


@pytest.mark.parametrize(
    "environ",
    [
        {"SANDBOX_SLOW_START_SHARE": "often"},
        {"SANDBOX_SLOW_START_SHARE": "1.5"},
        {"SANDBOX_SLOW_ANSWER_SHARE": "-0.1"},
        {"SANDBOX_SLOW_ANSWER_SHARE": "nan"},
        {"SANDBOX_SLOW_START": "soon"},
    ],
)
def test_a_variable_that_makes_no_sense_is_refused(environ: dict[str, str]) -> None:
    """Shares are from 0 to 1, durations as Go writes them."""
    with pytest.raises(SettingError):
        Slowness.read(environ)
