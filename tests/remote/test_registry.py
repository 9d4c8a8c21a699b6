"""Finding the way to run commands on a cluster's machines."""

import pytest

from seatrial.errors import MachineError, UsageError
from seatrial.remote.registry import LazyExecutor, find_executor


async def test_a_cluster_that_is_no_sandbox_has_none(control):
    """And it says what can."""
    executor = LazyExecutor(control.cluster)
    with pytest.raises(MachineError, match="no way to run commands") as caught:
        await executor.require()
    assert "SSH and privileged pods aren't there yet" in caught.value.hint
    for refused in (executor.run("n", "true"), executor.by_hand("n", "true")):
        with pytest.raises(MachineError):
            await refused
    assert executor.name == "none"
    await executor.close()


async def test_a_way_that_is_not_there_is_an_error(control):
    """SSH comes later; it isn't silently replaced by another way."""
    with pytest.raises(UsageError, match="can't be run on machines by 'ssh'"):
        await find_executor("ssh", control.cluster)
