import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.actions.pods.recovery import RecoveryTracker
from seatrial.kube.objects import Condition, ObjectMeta, OwnerReference, Pod, PodSpec, PodStatus
from seatrial.kube.watch import WatchEvent
from seatrial.runtime.events import FaultCleared, FaultProven, PodRecovered


def pod(name, *, owner="rs-1", kind="ReplicaSet", node="", phase="Pending", ready=False):
    owners = (OwnerReference(kind=kind, name=owner, uid=owner, controller=True),) if owner else ()
    conditions = (Condition(type="Ready", status="True" if ready else "False"),)
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=name, owner_references=owners),
        spec=PodSpec(node_name=node),
        status=PodStatus(phase=phase, conditions=conditions),
    )


def life(name, at, **given):
    """A new pod's events: created, scheduled, running, Ready, a tenth of a second apart."""
    return [
        WatchEvent(type="ADDED", object=pod(name, **given), received=at),
        WatchEvent(type="MODIFIED", object=pod(name, node="n", **given), received=at + 0.1),
        WatchEvent(type="MODIFIED", object=pod(name, node="n", phase="Running", **given), received=at + 0.2),
        WatchEvent(
            type="MODIFIED", object=pod(name, node="n", phase="Running", ready=True, **given), received=at + 0.3
        ),
    ]


def gone(name, at):
    return WatchEvent(type="DELETED", object=pod(name), received=at)


def keeping(recovered):
    """Keeps the recoveries of what a tracker tells."""
    return lambda event: recovered.append(event) if isinstance(event, PodRecovered) else None


@pytest.fixture
def recovered():
    return []


def tracker_for(victims, recovered):
    tracker = RecoveryTracker(victims, emit=keeping(recovered))
    tracker.already_there(victims)
    return tracker


async def test_the_moments_of_a_recovery_are_told_apart(recovered):
    """Gone, created, scheduled, running and Ready, each in milliseconds since the kill was sent."""
    tracker = tracker_for([pod("old")], recovered)
    tracker.kill_sent("old", 10.0)
    for event in [gone("old", 10.05), *life("new", 10.1)]:
        tracker.feed(event)
    await asyncio.wait_for(tracker.wait(), 30)
    [event] = recovered
    assert (event.pod.name, event.replacement.name) == ("old", "new")
    moments = (event.gone_ms, event.created_ms, event.scheduled_ms, event.running_ms, event.ready_ms)
    assert moments == pytest.approx((50, 100, 200, 300, 400))


async def test_a_graceful_end_after_the_replacement_is_ready_is_waited_for(recovered):
    """The replacement comes first, the old pod takes its grace period: both belong to the recovery."""
    tracker = tracker_for([pod("old")], recovered)
    tracker.kill_sent("old", 0.0)
    for event in life("new", 0.1):
        tracker.feed(event)
    assert recovered == []
    tracker.feed(gone("old", 30.0))
    assert recovered[0].gone_ms == pytest.approx(30_000)


async def test_a_pod_that_never_goes_counts_as_replaced_when_time_is_over(recovered):
    """With a Ready replacement, a pod that is still terminating at the end is a recovery without that moment."""
    tracker = tracker_for([pod("old")], recovered)
    tracker.kill_sent("old", 0.0)
    for event in life("new", 0.1):
        tracker.feed(event)
    assert tracker.give_up() == []
    assert recovered[0].gone_ms is None


@pytest.mark.parametrize(
    ("events", "how_far"),
    [
        ([gone("old", 0.1)], "no replacement was created"),
        ([gone("old", 0.1), *life("new", 0.2)[:3]], "its replacement new was not Ready"),
    ],
)
async def test_what_is_missing_is_said(recovered, events, how_far):
    """Giving up tells how far each pod came."""
    tracker = tracker_for([pod("old")], recovered)
    tracker.kill_sent("old", 0.0)
    for event in events:
        tracker.feed(event)
    [(victim, reason)] = tracker.give_up()
    assert (victim.name, reason) == ("old", how_far)
    assert recovered == []


async def test_pods_that_were_there_before_replace_nothing(recovered):
    """A pod of the same owner that the watch began with is no replacement, whatever happens to it."""
    old, other = pod("old"), pod("other")
    tracker = RecoveryTracker([old], emit=keeping(recovered))
    tracker.already_there([old, other])
    tracker.kill_sent("old", 0.0)
    tracker.feed(WatchEvent(type="MODIFIED", object=pod("other", ready=True), received=0.1))
    assert tracker.give_up()[0][1] == "no replacement was created"


async def test_pods_of_other_owners_replace_nothing(recovered):
    """A new pod of another controller belongs to somebody else."""
    tracker = tracker_for([pod("old")], recovered)
    tracker.kill_sent("old", 0.0)
    for event in life("new", 0.1, owner="rs-2"):
        tracker.feed(event)
    assert tracker.give_up()[0][1] == "no replacement was created"


async def test_a_replacement_that_disappears_makes_room_for_the_next(recovered):
    """When the first replacement is deleted before it is Ready, the second one counts."""
    tracker = tracker_for([pod("old")], recovered)
    tracker.kill_sent("old", 0.0)
    events = [gone("old", 0.1), *life("first", 0.2)[:2], gone("first", 0.4), *life("second", 0.5)]
    for event in events:
        tracker.feed(event)
    assert recovered[0].replacement.name == "second"


@pytest.mark.parametrize("kind", ["Job", "Workflow"])
async def test_nobody_waits_for_owners_that_don_t_replace(recovered, kind):
    """A pod of a Job, or one without a controller, has no recovery to wait for, only its own end."""
    tracker = tracker_for([pod("old", kind=kind), pod("bare", owner="")], recovered)
    tracker.feed(gone("old", 0.1))
    tracker.feed(gone("bare", 0.1))
    await asyncio.wait_for(tracker.wait(), 30)
    assert tracker.give_up() == []


async def test_nobody_waits_for_a_pod_that_was_not_killed(recovered):
    """A kill that failed needs no replacement."""
    tracker = tracker_for([pod("old")], recovered)
    tracker.kill_sent("old", 0.0)
    tracker.kill_failed("old")
    await asyncio.wait_for(tracker.wait(), 30)


@given(st.integers(1, 6), st.randoms(use_true_random=False))
def test_any_interleaving_gives_each_victim_one_replacement(count, random):
    """However the events of several recoveries mix, each victim gets a replacement of its own."""
    recovered = []
    victims = [pod(f"old-{number}") for number in range(count)]
    tracker = tracker_for(victims, recovered)
    queues = []
    for number, victim in enumerate(victims):
        tracker.kill_sent(victim.metadata.uid, number / 100)
        queues.append([gone(victim.metadata.uid, 1 + number)])
        queues.append(life(f"new-{number}", 2 + number))
    while any(queues):
        queue = random.choice([queue for queue in queues if queue])
        tracker.feed(queue.pop(0))
    assert len({event.replacement.uid for event in recovered}) == count
    assert len({event.pod.uid for event in recovered}) == count
    assert tracker.give_up() == []


async def test_the_watch_proves_the_fault_and_its_end():
    """The killed pod's UID is gone; its replacement is Ready: each is told once, in this order."""
    told = []
    tracker = RecoveryTracker([pod("old")], emit=told.append)
    tracker.already_there([pod("old")])
    tracker.kill_sent("old", 0.0)
    for event in [gone("old", 0.1), *life("new", 0.2)]:
        tracker.feed(event)
    assert [event for event in told if not isinstance(event, PodRecovered)] == [
        FaultProven(subject="pod default/old", proof="the pod with its UID (old) is gone"),
        FaultCleared(subject="pod default/old", proof="its replacement new is Ready"),
    ]


async def test_a_pod_that_nothing_replaces_is_seen_to_go(recovered):
    """The scenario waits until it is gone, and says so where it stays."""
    tracker = tracker_for([pod("bare", owner=""), pod("other", owner="")], recovered)
    tracker.kill_sent("bare", 0.0)
    tracker.feed(gone("bare", 0.1))
    assert [ref.name for ref in tracker.still_there()] == ["other"]
    tracker.kill_failed("other")
    assert tracker.still_there() == []
    await asyncio.wait_for(tracker.wait(), 30)


async def test_a_pod_whose_eviction_is_refused_for_now_has_no_replacement_yet(recovered):
    """What came while a budget held it back is another's replacement; its own is counted from when it goes."""
    tracker = tracker_for([pod("held"), pod("first")], recovered)
    tracker.kill_sent("held", 10.0)
    tracker.kill_sent("first", 10.01)
    for event in life("new-1", 10.1)[:1]:
        tracker.feed(event)
    tracker.kill_refused("held")
    for event in [gone("first", 10.05), *life("new-1", 10.1)]:
        tracker.feed(event)
    tracker.kill_sent("held", 15.0)
    for event in [gone("held", 15.05), *life("new-2", 15.1)]:
        tracker.feed(event)
    await asyncio.wait_for(tracker.wait(), 30)
    assert [(event.pod.name, event.replacement.name) for event in recovered] == [("first", "new-1"), ("held", "new-2")]
    assert all(event.created_ms > 0 for event in recovered)
