"""Finding the way to run commands on a cluster's machines."""

import pytest

from seatrial.errors import MachineError, UsageError
from seatrial.remote.registry import LazyExecutor, find_executor


async def test_where_no_package_has_a_way_there_is_none(control, monkeypatch):
    """And it says what can."""
    monkeypatch.setattr("seatrial.remote.registry.executor_types", dict)
    executor = LazyExecutor(control.cluster)
    with pytest.raises(MachineError, match="no way to run commands") as caught:
        await executor.require()
    assert "--execution-mode ssh" in caught.value.hint
    for refused in (executor.run("n", "true"), executor.by_hand("n", "true")):
        with pytest.raises(MachineError):
            await refused
    assert executor.name == "none"
    await executor.close()


async def test_a_way_that_is_not_there_is_an_error(control):
    """It isn't silently replaced by another way; its settings don't matter."""
    with pytest.raises(UsageError, match="can't be run on machines by 'telnet'"):
        await find_executor("telnet?PORT=23", control.cluster)
