"""What a policy may say of a partition."""

import pytest
from pydantic import ValidationError

from seatrial.steps.partition.model import Partition

CART = {"namespace": "shop", "selector": "app=cart"}
STOCK = {"namespace": "shop", "selector": "app=stock"}
PROBE = {"command": ["true"]}


def partition(**given):
    return Partition.model_validate({"pods": CART, "from": {"pods": STOCK}, **given})


def problems_of(**given):
    with pytest.raises(ValidationError) as caught:
        partition(**given)
    return [each["msg"] for each in caught.value.errors()]


@pytest.mark.parametrize(
    ("direction", "cut"), [("both", ("out", "in")), ("in", ("in",)), ("out", ("out",))], ids=["both", "in", "out"]
)
def test_a_direction_is_seen_from_the_pods(direction, cut):
    """Connections out of them, into them, or both, which is what is done where nothing is said."""
    assert partition(direction=direction).directions == cut
    assert partition().directions == ("out", "in")


def test_a_probe_shows_the_direction_of_the_pods_that_run_it():
    """In the partitioned pods: connections out of them; in others: connections into them."""
    found = partition(probes=[PROBE, {**PROBE, "runIn": STOCK}])
    assert [each.direction for each in found.probes] == ["out", "in"]


def test_a_probe_of_a_direction_that_is_left_alone_is_refused():
    """It would fail, or pass, for reasons of its own."""
    assert problems_of(direction="in", probes=[PROBE]) == [
        "a probe without 'runIn' shows connections out of the pods, and 'direction' leaves them alone"
    ]
    assert problems_of(direction="out", probes=[PROBE, {**PROBE, "runIn": STOCK}]) == [
        "a probe with 'runIn' shows connections into the pods, and 'direction' leaves them alone"
    ]


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ({"namespace": "team-*"}, "String should match pattern"),
        ({"namespace": "shop", "selector": " "}, "is empty, which selects nothing"),
        ({"namespace": "shop", "selector": "size>3"}, "compares by size, which a NetworkPolicy can't do"),
        ({"namespace": "shop", "selector": "a=(b"}, "is no valid label selector"),
    ],
    ids=["a glob", "empty", "by size", "malformed"],
)
def test_pods_are_named_as_network_policies_can_name_them(group, problem):
    """One namespace by its whole name, and label selectors without comparisons."""
    [found] = problems_of(pods=group)
    assert problem in found
