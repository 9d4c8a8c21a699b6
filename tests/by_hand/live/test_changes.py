"""Changes in words: what a person wants to know of an object, and nothing of what they don't."""

import msgspec
import pytest

from seatrial.by_hand.live.changes import in_words
from seatrial.by_hand.live.events import LiveEvent
from seatrial.by_hand.live.kind import Change
from seatrial.by_hand.live.nodes import LiveNamespace, LiveNode
from seatrial.by_hand.live.pods import LivePod
from seatrial.by_hand.live.services import LiveService
from seatrial.by_hand.live.workloads import LiveDeployment, LiveJob
from seatrial.kube.listing import object_decoder
from seatrial.shell.states import CHANGING, state_style


def bare(object_type, name="web", namespace="shop"):
    whole = {"metadata": {"name": name, "namespace": namespace, "uid": "u", "resourceVersion": "1"}}
    return object_decoder(object_type).decode(msgspec.json.encode(whole))


POD = msgspec.structs.replace(bare(LivePod, "web-1"), status="Running", ready="1/1", is_ready=True, node="node1")
NODE = msgspec.structs.replace(bare(LiveNode, "node1", ""), status="Ready")
DEPLOYMENT = msgspec.structs.replace(bare(LiveDeployment), wanted=3, ready=3)
JOB = msgspec.structs.replace(bare(LiveJob, "load"), wanted=2)
SERVICE = bare(LiveService)
EVENT = msgspec.structs.replace(
    bare(LiveEvent), type="Warning", reason="BackOff", message="Back-off\nrestarting", about_kind="Pod",
    about_namespace="shop", about="web-1",
)  # fmt: skip

NORMAL = msgspec.structs.replace(EVENT, type="Normal")


def changed(item, **changes):
    return in_words(Change("MODIFIED", msgspec.structs.replace(item, **changes), item))


@pytest.mark.parametrize(
    ("item", "changes", "words"),
    [
        (POD, {"status": "Terminating"}, "pod shop/web-1: Running → Terminating"),
        (POD, {"status": "Error", "is_ready": False, "ready": "0/1"}, "pod shop/web-1: Running → Error, not ready"),
        (POD, {"restarts": 1}, "pod shop/web-1: restarted (once so far)"),
        (POD, {"restarts": 3}, "pod shop/web-1: restarted (3 times so far)"),
        (POD, {"ready": "1/2"}, "pod shop/web-1: 1/1 → 1/2 containers ready"),
        (NODE, {"status": "NotReady"}, "node node1: Ready → NotReady"),
        (NODE, {"taints": ("gpu:NoSchedule",)}, "node node1: tainted gpu:NoSchedule"),
        (DEPLOYMENT, {"ready": 2}, "deployment shop/web: 3 → 2 of 3 ready"),
        (DEPLOYMENT, {"wanted": 5}, "deployment shop/web: 3 → 5 wanted"),
        (JOB, {"succeeded": 1, "failed": 2}, "job shop/load: 1 of 2 succeeded, 2 failed"),
        (SERVICE, {"selector": {"app": "copy"}}, "service shop/web: selector or ports changed"),
        (EVENT, {"count": 5}, "pod shop/web-1: BackOff: Back-off restarting (5 times)"),
    ],
)
def test_a_change_is_told_in_words(item, changes, words):
    """Of what, and from what to what."""
    assert str(changed(item, **changes)) == words


def test_a_taint_that_goes_is_told():
    """As one that comes."""
    tainted = msgspec.structs.replace(NODE, taints=("gpu:NoSchedule",))
    assert str(changed(tainted, taints=())) == "node node1: no longer tainted gpu:NoSchedule"


def test_a_pod_that_finds_its_node_is_told():
    """Where it was placed."""
    pending = msgspec.structs.replace(POD, status="Pending", node="", is_ready=False)
    assert str(changed(pending, node="node2")) == "pod shop/web-1: placed on node2"


@pytest.mark.parametrize(
    ("item", "changes"),
    [
        (POD, {"version": "2"}), (POD, {"labels": {"a": "b"}}), (NODE, {"version": "2"}), (DEPLOYMENT, {"updated": 1}),
        (EVENT, {"version": "2"}),
    ],
)  # fmt: skip
def test_what_means_nothing_is_not_told(item, changes):
    """A heartbeat, a label, an Event that was told already."""
    assert changed(item, **changes) is None


def test_what_comes_and_what_goes_is_told():
    """With the state that it comes in; an Event that expires is no news."""
    assert str(in_words(Change("ADDED", POD, None))) == "pod shop/web-1: new, Running"
    assert str(in_words(Change("DELETED", POD, POD))) == "pod shop/web-1: gone"
    assert str(in_words(Change("ADDED", bare(LiveNamespace, "shop", ""), None))) == "namespace shop: new"
    assert str(in_words(Change("ADDED", EVENT, None))) == "pod shop/web-1: BackOff: Back-off restarting"
    assert in_words(Change("DELETED", EVENT, EVENT)) is None


def test_a_warning_stands_out_and_what_is_normal_does_not():
    """The state of a line is what it is coloured by."""
    assert [state_style(in_words(Change("ADDED", event, None)).state) for event in (EVENT, NORMAL)] == [CHANGING, ""]
