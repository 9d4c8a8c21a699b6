import pytest

from seatrial.probes.goldpinger_graph import Call, Graph
from seatrial.probes.peer_detection import Detection
from seatrial.runtime.sightings import Sightings


def graph(*instances, failing=(), silent=()):
    calls = tuple(
        Call(caller=caller, peer=peer, ok=peer not in failing)
        for caller in instances
        for peer in {*instances, *failing}
    )
    return Graph(instances=instances, calls=calls, silent=dict.fromkeys(silent, "no answer"))


@pytest.fixture
def sightings():
    return Sightings()


@pytest.fixture
def detection(sightings):
    """It has seen three instances, and then one of them was killed, ten seconds later."""
    made = Detection(sightings)
    assert list(made.look(graph("a", "b", "c"), began=5.0, at=5.1)) == []
    sightings.pod_hit("default", "a", at=10.0)
    return made


def measured(found):
    return [(each.name, each.of, pytest.approx(each.seconds), each.is_lower_bound) for each in found]


DETECTED = "pod default/a by its peers"


@pytest.mark.parametrize(
    "look", [graph("b", "c", failing=("a",)), graph("a", "b", "c", silent=("a",))], ids=["failed call", "silent"]
)
def test_a_failed_call_is_the_detection(detection, look):
    """From the kill to the look that shows it; later ones tell nothing more."""
    assert measured(detection.look(look, began=10.2, at=10.3)) == [("timeToDetect", DETECTED, 0.3, False)]
    assert measured(detection.look(look, began=10.7, at=10.8)) == []
    assert measured(detection.give_up(at=20.0)) == []


def test_a_look_that_began_before_the_kill_hides_nothing(detection):
    """A failed call in it is the detection; that the pod isn't in it may be older than the kill."""
    assert measured(detection.look(graph("b", "c"), began=9.9, at=10.1)) == []
    assert measured(detection.look(graph("b", failing=("a",)), began=9.9, at=10.2)) == [
        ("timeToDetect", DETECTED, 0.2, False)
    ]


def test_a_pod_that_left_without_a_failed_call_was_not_noticed(detection):
    """A lower bound: as long as there was something to notice."""
    assert measured(detection.look(graph("a", "b", "c"), began=10.2, at=10.3)) == []
    assert measured(detection.look(graph("b", "c", "d"), began=10.7, at=10.8)) == [
        ("timeToDetect", DETECTED, 0.7, True)
    ]


def test_what_nobody_noticed_until_the_end_takes_longer(detection):
    """The pod's peers go on calling it as if nothing were."""
    list(detection.look(graph("a", "b", "c"), began=10.2, at=10.3))
    assert measured(detection.give_up(at=20.0)) == [("timeToDetect", DETECTED, 10.0, True)]


def test_other_pods_are_not_its_business(detection, sightings):
    """What was never an instance of goldpinger can't be missed by one."""
    sightings.pod_hit("shop", "cart-1", at=10.0)
    found = list(detection.look(graph("b", "c", failing=("a",)), began=10.2, at=10.3))
    assert [each.of for each in found] == [DETECTED]
    assert list(detection.give_up(at=20.0)) == []
