"""Probes, with time fast-forwarded."""

import asyncio

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.grace_period import GracePeriod
from seatrial.sandbox.kubelet.probing.checks import CheckResult
from seatrial.sandbox.kubelet.probing.probes import Kind, Probe

PASS, FAIL, REFUSED = CheckResult(ok=True), CheckResult(ok=False, output="no"), CheckResult(ok=False, refused=True)
pytestmark = pytest.mark.looptime


class Container:
    """Answers checks as told and takes notes of the times."""

    def __init__(self, *results: CheckResult) -> None:
        self.results = [*results]
        self.checked_at: list[float] = []
        self.verdicts: list[tuple[float, bool]] = []
        self.failures: list[str] = []

    async def check(self, _: Object, timeout_seconds: float) -> CheckResult:
        """One check; the last result is repeated for ever."""
        assert timeout_seconds == 1
        self.checked_at.append(asyncio.get_running_loop().time())
        return self.results.pop(0) if len(self.results) > 1 else self.results[0]

    def probe(self, kind: Kind, **spec: int) -> Probe:
        """A probe of this container."""
        return Probe(kind, spec, check=self.check, unhealthy=lambda _, result: self.failures.append(result.output))

    async def watch(self, probe: Probe, *, seconds: float) -> list[tuple[float, bool]]:
        """The verdicts within a time."""
        clock = asyncio.get_running_loop().time

        async def run() -> None:
            await probe.run(lambda passed: self.verdicts.append((clock(), passed)))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run(), seconds)
        return self.verdicts


async def test_thresholds_count_results_in_a_row() -> None:
    """Three failures make it unready, one success ready again."""
    container = Container(PASS, FAIL, FAIL, PASS, FAIL, FAIL, FAIL, PASS)
    verdicts = await container.watch(container.probe("readiness", periodSeconds=2), seconds=15.5)
    assert verdicts == [(0, True), (12, False), (14, True)]
    assert container.failures == ["no"] * 5


async def test_the_initial_delay_is_kept() -> None:
    """Nothing is asked before."""
    container = Container(PASS)
    await container.watch(container.probe("liveness", initialDelaySeconds=7), seconds=20)
    assert container.checked_at == [7, 17]


async def test_the_first_readiness_probe_waits_for_the_port() -> None:
    """A container that opens its port a moment after its start is ready then, and nobody complained."""
    container = Container(REFUSED, REFUSED, REFUSED, PASS)
    verdicts = await container.watch(container.probe("readiness", periodSeconds=30), seconds=5)
    assert [(round(at, 3), passed) for at, passed in verdicts] == [(0.07, True)]
    assert container.failures == []


async def test_a_port_that_stays_closed_is_one_failure_a_period() -> None:
    """The wait for the port has an end."""
    container = Container(REFUSED)
    await container.watch(container.probe("readiness", periodSeconds=10), seconds=29)
    assert len(container.failures) == 3


async def test_a_liveness_probe_does_not_wait() -> None:
    """A closed port is a failure at once."""
    container = Container(REFUSED)
    await container.watch(container.probe("liveness"), seconds=5)
    assert len(container.failures) == 1


async def test_a_startup_probe_decides_once() -> None:
    """Passed or failed, after its threshold."""
    assert await Container(FAIL, FAIL, PASS).probe("startup").wait_verdict(True, False)
    assert asyncio.get_running_loop().time() == 20
    assert not await Container(FAIL).probe("startup", failureThreshold=2).wait_verdict(True, False)


async def test_a_grace_period_can_be_shortened_but_not_extended() -> None:
    """As a second delete does."""
    grace = GracePeriod(30)
    waiting = asyncio.create_task(grace.wait_expired())
    await asyncio.sleep(5)
    grace.shorten(60)
    assert grace.left_seconds == 25
    grace.shorten(2)
    await waiting
    assert asyncio.get_running_loop().time() == 7


@pytest.mark.parametrize("turns", range(4))
async def test_a_cancelled_wait_ends_although_its_deadline_was_just_moved(turns: int) -> None:
    """Whichever turn of the loop the two fall into."""
    grace = GracePeriod(30)
    waiting = asyncio.create_task(grace.wait_expired())
    await asyncio.sleep(1)
    grace.shorten(20)
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert asyncio.get_running_loop().time() == 1
