"""Ports below 1024."""

import pytest

from seatrial.sandbox.network import low_ports
from seatrial.sandbox.network.low_ports import bindable


@pytest.mark.parametrize(
    ("first", "port", "expected"),
    [
        (1024, 80, 20080),
        (1024, 1023, 21023),
        (1024, 1024, 1024),
        (1024, 0, 0),
        (1, 80, 80),
        (80, 80, 80),
        (80, 79, 20079),
    ],
)
def test_bindable(monkeypatch: pytest.MonkeyPatch, first: int, port: int, expected: int) -> None:
    """A port that may not be bound is moved by 20000; 0 and all others stay."""
    monkeypatch.setattr(low_ports, "first_bindable_port", lambda: first)
    assert bindable(port) == expected


def test_what_it_says_can_be_bound() -> None:
    """Port 80, or what stands for it, can be bound by this very process."""
    import socket

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.254.254.80", bindable(80)))
