"""Durations as Go prints them."""

import pytest

from seatrial.sandbox.kubelet.durations import go_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (0.2, "200ms"), (1.5, "1.5s"), (3600, "1h0m0s"), (60, "1m0s")],
)
def test_durations_read_as_in_kubernetes_messages(seconds: float, text: str) -> None:
    """`back-off 1m20s restarting ...`."""
    assert go_duration(seconds) == text
