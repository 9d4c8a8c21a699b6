import pytest

from seatrial.report.account import Account
from seatrial.runtime.events import (
    ContainerRestarted,
    ContainerSignalled,
    GuardrailHeld,
    PodCommandExecuted,
    PodRef,
    TimerArmed,
)
from tests.report.conftest import records_of

POD = PodRef(namespace="shop", name="cart-1", uid="1", node="node1")


def texts(*events):
    account = Account()
    return [f"{line.label} {line.text}".strip() for record in records_of(events) for line in account.lines(record)]


def command(**given):
    values = {"container": "main", "command": "touch /x", "exit_code": 0, "output": "", "duration_ms": 12.0, **given}
    return PodCommandExecuted(pod=POD, **values)


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (command(), ["ran touch /x in shop/cart-1: exit code 0, in 12 ms"]),
        (command(output="one\ntwo\n"), ["ran touch /x in shop/cart-1: exit code 0, in 12 ms", "one", "two"]),
        (command(exit_code=None, error="refused"), ["not run touch /x in shop/cart-1: refused"]),
        (
            ContainerSignalled(pod=POD, container="main", signal="SIGTERM", via="exec"),
            ["signalled container main of shop/cart-1: SIGTERM (via exec)"],
        ),
        (
            ContainerRestarted(pod=POD, container="main", ended_ms=80, ready_ms=1200, restarts=1),
            ["restarted container main of shop/cart-1: ended after 80 ms, ready again after 1.2 s"],
        ),
        (
            TimerArmed(place="container main of pod shop/cart-1", seconds=600, undo="rm /x"),
            ["armed a timer of container main of pod shop/cart-1: rm /x after 600 s"],
        ),
        (GuardrailHeld(guardrail="maxPods", reason="too many"), ["held maxPods: too many"]),
    ],
)
def test_what_is_done_in_pods_in_words(event, lines):
    """Commands with what they printed, signals and returns, and what guardrails held back."""
    assert texts(event) == lines


def test_of_many_commands_ten_are_told():
    """With their output; then that there are more."""
    told = texts(*(command(output=f"{number}\n") for number in range(30)))
    assert len(told) == 2 * 10 + 1
    assert told[-1] == "ran ..."
