"""What every driver of a cloud owes, whichever cloud it is: each test runs against all of them."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from seatrial.errors import MachineError
from seatrial.kube.resources import NODES
from seatrial.machines.driver import Capability, MachineGone, MachineState
from seatrial.machines.pace import Pace
from seatrial.machines.registry import find_driver
from tests.machines.clouds import CLOUDS, add, running

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

QUICK = Pace(first_seconds=0.01, most_seconds=0.02, answer_seconds=30, deadline_seconds=30)
AT_ONCE = 10  # seconds; what is not at once takes longer than any test may


@dataclass
class Setting:
    """A cloud with one machine, `id`, and its driver."""

    name: str
    fake: object
    id: str
    connect: object
    driver: object

    @property
    def cloud(self):
        return CLOUDS[self.name]


@pytest.fixture(params=CLOUDS)
async def there(request, control, tmp_path, monkeypatch):
    """A cloud, and a node on its one machine."""
    async with running(request.param, tmp_path, request=request, environ=monkeypatch) as fake:
        id_ = await add(fake, "vm-1")
        spec = {"providerID": f"{CLOUDS[request.param].provider}{id_}"}
        await control.cluster.create(NODES, {"metadata": {"name": "n"}, "spec": spec})
        opened = []

        async def connect(pace=QUICK):
            monkeypatch.setattr(CLOUDS[request.param].module, "Pace", lambda: pace)
            opened.append(await find_driver(request.param, control.cluster))
            return opened[-1]

        yield Setting(request.param, fake, id_, connect, await connect())
        for driver in opened:
            await driver.close()


async def test_it_can_do_what_it_declares_and_refuses_the_rest(there):
    """Before anything is touched."""
    can = await there.driver.capabilities()
    assert can >= {Capability.START, Capability.STOP, Capability.REBOOT, Capability.DELETE}
    await there.driver.require(*can)
    for each in set(Capability) - can:
        with pytest.raises(MachineError, match=f"can't {each}"):
            await there.driver.require(each)
    assert all(hasattr(there.driver, each) for each in can)
    assert there.fake.gate.changes == 0


async def test_a_machine_that_is_down_is_not_rebooted(there):
    """That would be a start, or nothing at all."""
    await there.driver.stop(there.id)
    before = there.fake.gate.changes
    with pytest.raises(MachineError, match="so it can't be rebooted") as caught:
        await there.driver.reboot(there.id)
    assert caught.value.hint == "start it"
    assert there.fake.gate.changes == before
    assert (await there.driver.describe(there.id)).state is MachineState.DOWN


async def test_a_machine_that_is_gone_is_told_from_one_that_fails(there):
    """Clean-up lives with it; to delete it again is no error."""
    for act in ("describe", "start", "stop", "reboot"):
        with pytest.raises(MachineGone):
            await getattr(there.driver, act)(there.cloud.unknown)
    await there.driver.delete(there.cloud.unknown)
    await there.driver.delete(there.id)
    await there.driver.delete(there.id)
    assert await there.driver.list() == []


async def test_a_reboot_that_may_have_been_done_is_not_asked_for_again(there):
    """The cloud fails while answering. Google knows repetitions by their request id, so there it is repeated."""
    there.fake.gate.refused = [there.cloud.broken]
    if there.name == "gcp":
        await there.driver.reboot(there.id)
        assert there.fake.restarts(there.id) == 1
        return
    with pytest.raises(MachineError):
        await there.driver.reboot(there.id)
    assert there.fake.gate.changes == 1


async def test_a_reboot_that_was_throttled_is_made_once(there):
    """What was turned away was not done."""
    there.fake.gate.refused = [there.cloud.throttled] * 2
    await there.driver.reboot(there.id)
    assert (there.fake.gate.changes, there.fake.restarts(there.id)) == (3, 1)


async def test_stops_and_starts_that_may_have_been_done_are_repeated(there):
    """To do them twice does no harm."""
    there.fake.gate.refused = [there.cloud.broken] * 2
    await there.driver.stop(there.id)
    there.fake.gate.refused = [there.cloud.broken]
    await there.driver.start(there.id)
    assert there.fake.gate.changes == 5
    assert (await there.driver.describe(there.id)).state is MachineState.UP


async def test_a_wait_can_be_interrupted_at_any_time(there):
    """A stop that never ends is left, the driver closed, and another one starts the machine, all at once."""
    there.fake.never_end()
    stop = asyncio.create_task(there.driver.stop(there.id))
    await there.fake.gate.asked.wait()
    stop.cancel()
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(asyncio.CancelledError):
            await stop
        await there.driver.close()
    there.fake.go_on()
    another = await there.connect()
    await another.start(there.id)
    assert (await another.describe(there.id)).state is MachineState.UP


async def test_a_cloud_that_takes_requests_and_answers_none_is_given_up(there):
    """After the time that one question may take; nor does it hold up who is interrupted."""
    hasty = await there.connect()
    await hasty.describe(there.id)
    for each in (hasty, getattr(hasty, "_api", hasty)):
        each._pace = replace(QUICK, answer_seconds=0.5)
    with there.fake.gate.shut():
        async with asyncio.timeout(AT_ONCE):
            with pytest.raises(MachineError, match=r"did not answer within 0\.5 s"):
                await hasty.describe(there.id)
            there.fake.gate.waiting.clear()
            stop = asyncio.create_task(there.driver.stop(there.id))
            await there.fake.gate.waiting.wait()
            stop.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stop
            await there.driver.close()


async def test_many_machines_are_stopped_and_started_at_once(there):
    """Each once."""
    ids = [there.id, *[await add(there.fake, f"vm-{number}") for number in range(2, 16)]]
    for act, state in (("stop", MachineState.DOWN), ("start", MachineState.UP)):
        async with asyncio.TaskGroup() as tasks:
            for each in ids:
                tasks.create_task(getattr(there.driver, act)(each))
        assert {each.id: each.state for each in await there.driver.list()} == dict.fromkeys(ids, state)
    assert there.fake.gate.changes == 30
