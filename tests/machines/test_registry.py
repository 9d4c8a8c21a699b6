"""Finding the driver of a cluster's machines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.choice import read_choice, write_choice
from seatrial.errors import MachineError, UsageError
from seatrial.machines.driver import Capability
from seatrial.machines.lazy import LazyMachines
from seatrial.machines.none import NoMachines
from seatrial.machines.registry import driver_types, find_driver


async def test_a_cluster_that_is_no_sandbox_has_no_driver(control):
    """Nothing is guessed: without a cloud's name there is none, and it says how to get one."""
    driver = await find_driver(None, control.cluster)
    assert driver.name == "none"
    assert await driver.capabilities() == frozenset()
    assert await driver.list() == ()
    await driver.require()
    with pytest.raises(MachineError, match="no cloud is configured") as caught:
        await driver.require(Capability.STOP)
    assert "name the cloud" in caught.value.hint


async def test_a_user_who_may_not_ask_is_told_so(control):
    """Whether it is a sandbox is for administrators to know: the refusal is part of what is said."""
    async with await control.connect_as("jane") as cluster:
        driver = await find_driver(None, cluster)
        with pytest.raises(MachineError, match=r"whether the driver 'sandbox' reaches them .*User \"jane\""):
            await driver.stop("x")


async def test_an_unknown_driver_is_an_error(control):
    """With the names of those that are there."""
    with pytest.raises(UsageError, match="there is no driver 'moon'") as caught:
        await find_driver("moon", control.cluster)
    assert caught.value.hint == f"drivers that are there: {', '.join(driver_types())}"


@pytest.mark.parametrize("act", ["describe", "start", "stop", "reboot", "delete", "start_command"])
async def test_no_driver_refuses_whatever_is_asked(act):
    """Every method that would touch a machine raises."""
    with pytest.raises(MachineError):
        await getattr(NoMachines(), act)("id")


async def test_a_lazy_driver_is_looked_for_once_and_only_when_needed():
    """A run without machine steps pays nothing; all calls go to the one that was found."""
    found = []

    async def find():
        found.append(NoMachines(why="a test"))
        return found[-1]

    lazy = LazyMachines(find)
    await lazy.close()
    assert (lazy.name, found) == ("", [])
    assert await lazy.list() == ()
    assert await lazy.capabilities() == frozenset()
    with pytest.raises(MachineError, match="a test"):
        await lazy.start("x")
    assert (lazy.name, len(found)) == ("none", 1)


@given(st.text("abc-", min_size=1), st.dictionaries(st.text("ABC_", min_size=1), st.text()))
def test_a_driver_and_its_settings_are_one_line(name, settings):
    """What the journal keeps of them is what they were, but for settings that say nothing."""
    said = {key: value for key, value in settings.items() if value}
    assert read_choice(write_choice(name, settings)) == (name, said)
    assert len(write_choice(name, settings).splitlines()) == 1
