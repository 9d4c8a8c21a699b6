"""Which taints a pod tolerates, and for how long."""

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.tolerations import seconds_tolerated, tolerates, untolerated

UNREACHABLE = "node.kubernetes.io/unreachable"
TAINT = {"key": UNREACHABLE, "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("toleration", "covers"),
    [
        ({"operator": "Exists"}, True),
        ({"key": UNREACHABLE, "operator": "Exists"}, True),
        ({"key": UNREACHABLE, "operator": "Exists", "effect": "NoSchedule"}, False),
        ({"key": UNREACHABLE}, True),
        ({"key": UNREACHABLE, "value": "x"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_toleration_covers_a_taint_by_key_value_and_effect(toleration: Object, covers: bool) -> None:  # noqa: FBT001 -- a table
    """The documented rules, one by one."""
    assert tolerates(toleration, TAINT) is covers
    assert (untolerated([TAINT], [toleration]) is None) is covers


def test_the_shortest_toleration_counts() -> None:
    """Of several tolerated taints the first to end the stay decides; an untolerated one ends it at once."""
    for_ever = {"key": UNREACHABLE, "operator": "Exists"}
    minute = {**for_ever, "tolerationSeconds": 60}
    other = {"key": "other", "effect": "NoExecute"}
    assert seconds_tolerated([TAINT], [for_ever]) is None
    assert seconds_tolerated([TAINT], [for_ever, minute]) == 60
    assert seconds_tolerated([TAINT, other], [for_ever]) == 0
