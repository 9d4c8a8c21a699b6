"""How long a sandbox's parts wait."""

from dataclasses import replace
from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.order import Order
from seatrial.sandbox.timing import REALISTIC, SANDBOX


def test_the_realistic_timing_has_what_kubernetes_has() -> None:
    """Leases every 10 s, 50 s of silence, 300 s of toleration, pauses of 10 s to 5 minutes."""
    assert REALISTIC.heartbeat_seconds == 10
    assert REALISTIC.node_monitor_grace_seconds == 50
    assert REALISTIC.default_toleration_seconds == 300
    assert (REALISTIC.restart_base_seconds, REALISTIC.restart_longest_seconds) == (10, 300)


def test_the_sandbox_gives_a_silent_node_up_sooner() -> None:
    """A dead node and its pods' eviction can be watched; back-off pauses are the real ones."""
    assert SANDBOX.node_monitor_grace_seconds + SANDBOX.default_toleration_seconds < 60
    assert SANDBOX.restart_longest_seconds == REALISTIC.restart_longest_seconds


def test_scaling_keeps_proportions() -> None:
    """All intervals shrink by the same factor, and the clock of CronJobs runs faster by it."""
    quick = REALISTIC.scaled(0.1)
    assert quick.node_monitor_grace_seconds == pytest.approx(5)
    assert quick.toleration_scale == pytest.approx(0.1)
    assert quick.cron_speed == pytest.approx(10)
    assert quick.scaled(10).job_backoff_longest_seconds == pytest.approx(600)


def test_a_short_grace_brings_quicker_heartbeats() -> None:
    """A node is never given up between two heartbeats that came in time."""
    quick = REALISTIC.with_grace(8)
    assert quick.node_monitor_grace_seconds == 8
    assert quick.heartbeat_seconds == 2
    assert REALISTIC.with_grace(100).heartbeat_seconds == REALISTIC.heartbeat_seconds


@pytest.mark.parametrize("changes", [{"heartbeat_seconds": 0}, {"cron_speed": -1}, {"node_monitor_grace_seconds": 5}])
def test_an_impossible_timing_is_refused(changes: dict[str, float]) -> None:
    """Nothing may take no time at all, and nodes may not be given up before they could be heard of."""
    with pytest.raises(UsageError):
        replace(REALISTIC, **changes)


def test_no_time_can_be_scaled_to_nothing() -> None:
    """A factor of zero is refused."""
    with pytest.raises(UsageError):
        REALISTIC.scaled(0)


def test_a_timing_survives_the_way_to_the_sandbox() -> None:
    """It is told to the main process as plain values, with all that makes a cluster."""
    config = ClusterConfig(name="quick", directory=Path("/tmp/quick"), timing=REALISTIC.scaled(0.5))
    order = Order(config=config, began=1.0, ready_fd=3, owner_fd=None)
    assert Order.decode(order.encode()).config.timing == REALISTIC.scaled(0.5)
