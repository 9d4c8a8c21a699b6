"""Recovery times: who is replaced by whom, and after how long."""

import pytest

from seatrial.dashboard.recoveries import RecoveryWatch
from seatrial.runtime.events import MeasurementTaken, PodRecovered, PodRef
from seatrial.testing import FakeClock
from tests.dashboard.pods import added, deleted, modified, pod


class Watched:
    """A watch, whose time passes as the test says."""

    def __init__(self):
        self.clock = FakeClock()
        self.watch = RecoveryWatch(monotonic=self.clock.monotonic)

    def see(self, change):
        self.watch.see(change)

    async def later(self, seconds):
        await self.clock.sleep(seconds)

    @property
    def times(self):
        return {each.of: [round(second, 3) for second in each.seconds] for each in self.watch.all()}


@pytest.fixture
def watched():
    return Watched()


async def test_a_pod_that_goes_is_waited_for_until_another_of_its_owner_is_ready(watched):
    """From the moment the deletion is seen until the replacement is Ready is the owner's recovery."""
    watched.see(added(pod("web-1")))
    watched.see(modified(pod("web-1", is_deleted=True), pod("web-1")))
    await watched.later(1)
    watched.see(added(pod("web-2", ready="0/1")))
    watched.see(deleted(pod("web-1", is_deleted=True)))
    assert watched.times == {}
    await watched.later(2)
    watched.see(modified(pod("web-2"), pod("web-2", ready="0/1")))
    assert watched.times == {"shop/web-7d4b9": [3.0]}


async def test_a_pod_of_a_deployment_counts_for_the_deployment(watched):
    """What a ReplicaSet of a Deployment brings back is told under the Deployment's name."""
    labels = {"pod-template-hash": "7d4b9"}
    watched.see(deleted(pod("web-1", labels=labels)))
    await watched.later(1)
    watched.see(added(pod("web-2", labels=labels)))
    assert watched.times == {"shop/web": [1.0]}


async def test_a_stateful_pod_is_its_own_replacement(watched):
    """A pod of a StatefulSet comes back under the same name with another UID, also where its end went by unseen."""
    stateful = {"owner": "db", "owner_kind": "StatefulSet"}
    before = pod("db-0", uid="1", **stateful)
    watched.see(added(before))
    await watched.later(1)
    watched.see(modified(pod("db-0", uid="2", ready="0/1", **stateful), before))
    await watched.later(4)
    watched.see(modified(pod("db-0", uid="2", **stateful), pod("db-0", uid="2", ready="0/1", **stateful)))
    assert watched.times == {"shop/db": [4.0]}


async def test_a_pod_that_comes_long_after_is_no_replacement(watched):
    """An owner that was scaled down and is scaled up later has not recovered."""
    watched.see(deleted(pod("web-1")))
    await watched.later(11)
    watched.see(added(pod("web-2")))
    assert watched.times == {}


async def test_a_pod_that_was_not_ready_is_no_loss(watched):
    """The end of a pod that crashed takes nothing away that could come back."""
    watched.see(deleted(pod("web-1", ready="0/1", status="CrashLoopBackOff")))
    watched.see(added(pod("web-2")))
    assert watched.times == {}


async def test_a_replacement_that_dies_is_replaced_itself(watched):
    """Where the replacement is lost before it is Ready, the next one ends the recovery of the first pod."""
    watched.see(deleted(pod("web-1")))
    watched.see(added(pod("web-2", ready="0/1")))
    await watched.later(5)
    watched.see(deleted(pod("web-2", ready="0/1")))
    watched.see(added(pod("web-3", ready="0/1")))
    await watched.later(2)
    watched.see(modified(pod("web-3"), pod("web-3", ready="0/1")))
    assert watched.times == {"shop/web-7d4b9": [7.0]}


async def test_two_losses_have_two_replacements(watched):
    """Each pod that comes ends the recovery of one that went."""
    watched.see(deleted(pod("web-1")))
    await watched.later(1)
    watched.see(deleted(pod("web-2")))
    watched.see(added(pod("web-3")))
    await watched.later(1)
    watched.see(added(pod("web-4")))
    assert watched.times == {"shop/web-7d4b9": [1.0, 1.0]}


@pytest.mark.parametrize("first", ["seen", "measured"])
async def test_what_the_session_measured_counts_once(watched, first):
    """A pod that the session killed is told with the session's time, whichever is known first."""
    ref = PodRef("shop", "web-1", "uid of web-1", "node-1", "ReplicaSet/web-7d4b9")
    event = PodRecovered(
        pod=ref, replacement=ref, gone_ms=None, created_ms=1, scheduled_ms=None, running_ms=None, ready_ms=1500
    )

    async def see():
        watched.see(deleted(pod("web-1")))
        await watched.later(1)
        watched.see(added(pod("web-2")))

    if first == "seen":
        await see()
        watched.watch.hear(event)
    else:
        watched.watch.hear(event)
        await see()
    assert watched.times == {"shop/web-7d4b9": [1.5]}


async def test_measurements_of_steps_are_told_by_their_names(watched):
    """What a step measures, as how long a drain took, stands beside the recoveries, each time for itself."""
    watched.watch.hear(MeasurementTaken(name="drained", of="node-1", seconds=4))
    watched.watch.hear(MeasurementTaken(name="drained", of="node-1", seconds=2))
    assert watched.times == {"drained: node-1": [4, 2]}


async def test_what_is_measured_of_single_pods_stands_together(watched):
    """Each pod is another one; and what had not come in time is no time."""
    for name, seconds in (("a", 4), ("b", 2)):
        of = f"pod shop/{name} in Service shop/web"
        watched.watch.hear(MeasurementTaken(name="timeToEndpoint", of=of, seconds=seconds))
        watched.watch.hear(MeasurementTaken(name="timeToEndpoint", of=of, seconds=60, is_lower_bound=True))
    assert watched.times == {"timeToEndpoint": [4, 2]}


async def test_the_last_and_the_median_are_told(watched):
    """Of many recoveries the last one and the median stand out, and the last 60 are kept."""
    for seconds in range(100):
        watched.watch.hear(MeasurementTaken(name="x", of="y", seconds=seconds))
    [recoveries] = watched.watch.all()
    assert (recoveries.last, recoveries.median, len(recoveries.seconds)) == (99, 69.5, 60)
