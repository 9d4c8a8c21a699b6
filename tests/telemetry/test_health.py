import asyncio
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest

from seatrial.errors import StateError, UsageError
from seatrial.kube.client import connect
from seatrial.runtime.clock import SystemClock
from seatrial.telemetry.health import Health, health_served


@pytest.fixture
async def asked():
    """Probes are answered; a function asks them."""
    health = Health()
    async with health_served(health, host="127.0.0.1", port=0) as port, aiohttp.ClientSession() as session:

        async def ask(path: str = "/readyz"):
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, await answer.json()

        ask.health = health
        ask.port = port
        yield ask


async def test_who_lives_answers(asked):
    """Whatever else is wrong: liveness is about the process, and a restart mends no cluster."""
    asked.health.expect("cluster", lambda: "is away")
    assert await asked("/healthz") == (200, {"alive": True})


async def test_a_loop_that_is_stuck_does_not_answer(asked):
    """Which is what the probe is for: whoever asks gives up, and the container is started anew."""

    def probe() -> None:
        urllib.request.urlopen(f"http://127.0.0.1:{asked.port}/healthz", timeout=0.3)

    with ThreadPoolExecutor(1) as elsewhere, pytest.raises(TimeoutError):
        elsewhere.submit(probe).result()  # the loop stands still until then


async def test_before_the_run_has_begun_nothing_is_ready(asked):
    """While the cluster is reached and earlier runs are cleaned up after."""
    assert await asked() == (503, {"ready": False, "checks": {"run": {"ok": False, "problem": "has not begun"}}})


async def test_ready_is_who_has_no_problem(asked):
    """Each check is named, and says what is wrong."""
    asked.health.expect("run", lambda: "")
    assert await asked() == (200, {"ready": True, "checks": {"run": {"ok": True}}})
    asked.health.expect("store", lambda: "the disk is full")
    status, said = await asked()
    assert (status, said["checks"]["store"]) == (503, {"ok": False, "problem": "the disk is full"})


async def test_a_cluster_that_answers_is_well(asked, control):
    """It is asked beside; what the probe gets is what is known."""
    async with asked.health.watching(control.cluster, SystemClock()):
        await _until(lambda: asked.health.problems()["cluster"] == "")
    status, said = await asked()
    assert (status, said["checks"]["cluster"]) == (503, {"ok": True})


async def test_a_cluster_that_has_gone_is_not_well_after_half_a_minute(control, recorder):
    """A single question without an answer is nothing yet."""
    health = Health()
    impatient = await connect(kubeconfig=control.directory / "kubeconfig", timeout_seconds=0.2)
    async with impatient as cluster, health.watching(cluster, recorder.clock):
        await _until(lambda: health.problems()["cluster"] == "")
        await control.server.stop()
        since = recorder.clock.monotonic()
        await _until(lambda: health.problems()["cluster"] != "")
        assert recorder.clock.monotonic() - since >= 20
        assert "127.0.0.1" in health.problems()["cluster"]


async def test_a_journal_that_is_not_written_is_a_problem_until_it_is(asked):
    """Nothing is changed without a journal; the heartbeat finds that out while nothing happens."""
    errors = [None, StateError("can't write the journal"), None]

    async def beat() -> None:
        if error := errors.pop(0):
            raise error

    observed = asked.health.beating(beat)
    await observed()
    assert asked.health.problems()["journal"] == ""
    with pytest.raises(StateError):
        await observed()
    assert asked.health.problems()["journal"] == "can't write the journal"
    await observed()
    assert asked.health.problems()["journal"] == ""


async def test_a_port_that_is_taken_is_said(asked):
    """With the flags that name another one."""
    with pytest.raises(UsageError, match=f"can't answer probes on 127.0.0.1:{asked.port}: ") as caught:
        async with health_served(Health(), host="127.0.0.1", port=asked.port):
            pass
    assert "--health-port" in caught.value.hint


async def _until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 -- what another task finds out, nobody announces
            await asyncio.sleep(0.01)
