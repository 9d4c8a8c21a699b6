import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from seatrial.actions.pods.recovery import RecoveryTracker
from seatrial.actions.pods.replacements import Replacements
from seatrial.kube.objects import Condition, ObjectMeta, OwnerReference, Pod, PodSpec, PodStatus
from seatrial.kube.watch import WatchEvent
from seatrial.runtime.events import (
    FaultCleared,
    FaultProven,
    MeasurementTaken,
    PodRecovered,
    ProofMissing,
    RecoveryMissed,
)


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


def give_up(tracker, *, at=60.0):
    return tracker.give_up(at=at, when="within 60 s")


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
    assert give_up(tracker) == []
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
    [(victim, reason)] = give_up(tracker)
    assert (victim.name, reason) == ("old", how_far)
    assert recovered == []


async def test_pods_that_were_there_before_replace_nothing(recovered):
    """A pod of the same owner that the watch began with is no replacement, whatever happens to it."""
    old, other = pod("old"), pod("other")
    tracker = RecoveryTracker([old], emit=keeping(recovered))
    tracker.already_there([old, other])
    tracker.kill_sent("old", 0.0)
    tracker.feed(WatchEvent(type="MODIFIED", object=pod("other", ready=True), received=0.1))
    assert give_up(tracker)[0][1] == "no replacement was created"


async def test_pods_of_other_owners_replace_nothing(recovered):
    """A new pod of another controller belongs to somebody else."""
    tracker = tracker_for([pod("old")], recovered)
    tracker.kill_sent("old", 0.0)
    for event in life("new", 0.1, owner="rs-2"):
        tracker.feed(event)
    assert give_up(tracker)[0][1] == "no replacement was created"


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
    assert give_up(tracker) == []


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
    assert give_up(tracker) == []


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
    """The scenario waits until it is gone, however long that takes; where it stays, it takes longer than that."""
    told = []
    bare = [pod(name, owner="") for name in ("gone", "spared", "stays")]
    tracker = RecoveryTracker(bare, emit=told.append)
    tracker.already_there(bare)
    tracker.kill_sent("gone", 1.0)
    tracker.kill_sent("stays", 1.0)
    tracker.feed(gone("gone", 1.1))
    tracker.kill_failed("spared")
    assert give_up(tracker, at=61.0) == []
    assert [(each.subject, each.reason) for each in told if isinstance(each, ProofMissing)] == [
        ("pod default/stays", "it was not seen to be gone within 60 s")
    ]
    measured = [each for each in told if isinstance(each, MeasurementTaken)]
    assert [(each.name, each.of, each.is_lower_bound) for each in measured] == [
        ("timeToGone", "default/gone", False),
        ("timeToGone", "default/stays", True),
    ]
    assert [each.seconds for each in measured] == pytest.approx([0.1, 60.0])


async def test_what_did_not_come_is_told_with_what_did():
    """How long it was looked for, and the moments that were seen: all counted from the kill."""
    told = []
    tracker = RecoveryTracker([pod("old")], emit=told.append)
    tracker.already_there([pod("old")])
    tracker.kill_sent("old", 10.0)
    for event in [gone("old", 10.05), *life("new", 10.1)[:2]]:
        tracker.feed(event)
    give_up(tracker, at=70.0)
    give_up(tracker, at=80.0)
    [missed] = [each for each in told if isinstance(each, RecoveryMissed)]
    assert missed.reason == "its replacement new was not Ready within 60 s"
    moments = (missed.waited_ms, missed.gone_ms, missed.created_ms, missed.scheduled_ms)
    assert moments == pytest.approx((60_000, 50, 100, 200))
    assert missed.running_ms is None


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


class Kills:
    """Several kills of one scenario, each with a watch of its own that shows the same events."""

    def __init__(self):
        self.recovered = []
        self._replacements = Replacements()
        self._trackers = []
        self._there = {}

    def kill(self, *names, at, kind="ReplicaSet"):
        """A step kills these pods; it sees all pods that are there."""
        victims = [pod(name, kind=kind) for name in names]
        self._there.update({each.metadata.uid: each for each in victims})
        tracker = RecoveryTracker(victims, emit=keeping(self.recovered), replacements=self._replacements)
        tracker.already_there(self._there.values())
        self._trackers.append(tracker)
        for name in names:
            tracker.kill_sent(name, at)
        return tracker

    def feed(self, *events):
        """Every watch shows them; the one that was opened last is the first to."""
        for event in events:
            uid = event.object.metadata.uid
            self._there.pop(uid, None)
            if event.type != "DELETED":
                self._there[uid] = event.object
            for tracker in reversed(self._trackers):
                tracker.feed(event)

    @property
    def pairs(self):
        return {event.pod.name: event.replacement.name for event in self.recovered}


async def test_two_kills_of_one_owner_don_t_share_a_replacement():
    """The first new pod is that of the pod that was killed first, whichever step killed it."""
    kills = Kills()
    kills.kill("a", at=1.0)
    kills.kill("b", at=2.0)
    kills.feed(gone("a", 2.1), *life("new-a", 2.2), gone("b", 2.3), *life("new-b", 3.0))
    assert kills.pairs == {"a": "new-a", "b": "new-b"}
    assert [event.created_ms for event in kills.recovered] == pytest.approx([1200, 1000])


async def test_a_pod_that_is_killed_twice_is_counted_once():
    """A second step that kills a pod on its way out waits for its end only: its recovery is the first one's."""
    kills = Kills()
    kills.kill("a", at=1.0)
    again = kills.kill("a", at=2.0)
    kills.feed(gone("a", 2.1), *life("new", 2.2))
    await asyncio.wait_for(again.wait(), 30)
    [event] = kills.recovered
    assert event.gone_ms == pytest.approx(1100)


@pytest.mark.parametrize("replaced_first", [False, True], ids=["gone first", "replaced first"])
async def test_what_replaces_a_killed_replacement_stands_for_both(replaced_first):
    """Until then the first pod has not recovered; nobody waits for a second new pod that never comes."""
    kills = Kills()
    first = kills.kill("a", at=1.0)
    kills.feed(gone("a", 1.1), *life("new", 1.2)[:2])
    second = kills.kill("new", at=2.0)
    last = life("last", 2.5)
    events = [last[0], gone("new", 2.6), *last[1:]] if replaced_first else [gone("new", 2.1), *last]
    kills.feed(*events)
    await asyncio.wait_for(asyncio.gather(first.wait(), second.wait()), 30)
    assert kills.pairs == {"a": "last", "new": "last"}
    assert sorted(event.created_ms for event in kills.recovered) == pytest.approx([500, 1500])


async def test_a_stateful_sets_pod_comes_back_under_its_name():
    """The same name with another UID is the replacement."""
    kills = Kills()
    tracker = kills.kill("web-0", at=1.0, kind="StatefulSet")
    again = [replace(each, object=_named(each.object, "web-0")) for each in life("uid-2", 2.0, kind="StatefulSet")]
    kills.feed(gone("web-0", 1.5), *again)
    await asyncio.wait_for(tracker.wait(), 30)
    [event] = kills.recovered
    assert (event.replacement.name, event.replacement.uid) == ("web-0", "uid-2")


def _named(found, name):
    return replace(found, metadata=replace(found.metadata, name=name))
