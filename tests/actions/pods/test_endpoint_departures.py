import asyncio

import pytest
from msgspec import structs
from msgspec.structs import replace

from seatrial.actions.pods import evict, kill
from seatrial.actions.pods.endpoint_departures import MOST_VICTIMS, EndpointDepartures, track_endpoints
from seatrial.kube.objects import Endpoint, EndpointConditions, EndpointSlice, ObjectMeta, ObjectReference, Pod
from seatrial.kube.resources import ENDPOINTSLICES, PODS, SERVICES
from seatrial.kube.watch import WatchEvent
from seatrial.runtime.context import Settings
from seatrial.runtime.events import FaultProven, ProofMissing


def pod(name):
    return Pod(metadata=ObjectMeta(name=name, namespace="shop", uid=name, labels={"app": "cart"}))


def piece(name, *pods, service="cart"):
    """A slice of a Service with these pods."""
    endpoints = tuple(
        Endpoint(addresses=(f"10.0.0.{each[-1]}",), target_ref=ObjectReference(kind="Pod", name=each, uid=each))
        for each in pods
    )
    labels = {"kubernetes.io/service-name": service}
    meta = ObjectMeta(name=name, namespace="shop", uid=name, labels=labels)
    return EndpointSlice(metadata=meta, endpoints=endpoints or None)


def follow(victims, slices):
    """Departures that have seen these slices, and what they tell."""
    told = []
    departures = EndpointDepartures([pod(each) for each in victims], emit=told.append)
    departures.already_there(slices)
    return departures, told


def changed(found, *, at, change="MODIFIED"):
    return WatchEvent(change, found, at)


async def is_complete(departures):
    try:
        async with asyncio.timeout(0.01):
            await departures.wait()
    except TimeoutError:
        return False
    return True


async def test_an_endpoint_that_left_is_proven_with_its_address_and_time():
    """Of each Service by itself; pods that were not killed don't count."""
    departures, told = follow(["p1"], [piece("a", "p1", "p2"), piece("b", "p1", service="all")])
    departures.kill_sent("p1", 5.0)
    departures.feed(changed(piece("a"), at=5.25))
    assert told == [
        FaultProven(subject="pod shop/p1", proof="10.0.0.1 left the ready endpoints of Service shop/cart after 0.25 s")
    ]
    assert not await is_complete(departures)
    assert [service for _, service in departures.still_there()] == ["shop/all"]
    departures.feed(changed(piece("b", "p1", service="all"), at=7.0, change="DELETED"))
    assert told[1].proof == "10.0.0.1 left the ready endpoints of Service shop/all after 2 s"
    assert await is_complete(departures)


async def test_one_that_is_terminating_has_left():
    """It is listed until its grace period is over, but traffic goes elsewhere from the beginning of that."""
    departures, told = follow(["p1"], [piece("a", "p1", "p2")])
    departures.kill_sent("p1", 5.0)
    going = structs.replace(piece("a", "p1").endpoints[0], conditions=EndpointConditions(ready=False, terminating=True))
    departures.feed(changed(structs.replace(piece("a", "p2"), endpoints=(going,)), at=5.1))
    assert [event.proof for event in told] == ["10.0.0.1 left the ready endpoints of Service shop/cart after 0.1 s"]
    departures.feed(changed(piece("a", "p2"), at=35.0))
    assert len(told) == 1
    assert await is_complete(departures)


async def test_one_that_moves_to_another_slice_has_not_left():
    """A Service has several slices, and endpoints are moved between them."""
    departures, told = follow(["p1"], [piece("a", "p1"), piece("b")])
    departures.kill_sent("p1", 0.0)
    departures.feed(changed(piece("b", "p1"), at=1.0))
    departures.feed(changed(piece("a"), at=2.0))
    assert told == []
    departures.feed(changed(piece("b"), at=3.0))
    assert [event.proof for event in told] == ["10.0.0.1 left the ready endpoints of Service shop/cart after 3 s"]


async def test_a_pod_that_was_not_killed_is_not_waited_for():
    """The kill was refused: its endpoint may stay."""
    departures, told = follow(["p1", "p2"], [piece("a", "p1")])
    assert not await is_complete(departures)
    departures.kill_failed("p1")
    assert await is_complete(departures)
    assert told == []


async def test_an_endpoint_that_went_before_the_kill_proves_nothing():
    """It may have gone for any reason."""
    departures, told = follow(["p1"], [piece("a", "p1")])
    departures.feed(changed(piece("a"), at=1.0))
    assert told == []
    assert await is_complete(departures)


async def serve(whole, name="web"):
    """A Service of these pods whose endpoints are there."""
    body = {
        "metadata": {"name": name, "namespace": whole.namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    await whole.cluster.create(SERVICES, body)
    selector = f"kubernetes.io/service-name={name}"
    async with (
        asyncio.timeout(60),
        whole.cluster.watch(
            ENDPOINTSLICES, namespace=whole.namespace, label_selector=selector, type=EndpointSlice
        ) as watch,
    ):
        found = list(watch.snapshot)
        while not any(each.endpoints for each in found):
            found = [(await anext(watch)).object]


@pytest.mark.parametrize("action", [kill.run, evict.run], ids=["kill", "evict"])
async def test_a_killed_pod_leaves_its_services(whole, action):
    """On a whole cluster, for those that select it: the proof stands beside that of the pod's end."""
    [victim] = await whole.deploy("web")
    await serve(whole)
    spec = kill.Kill(force=True) if action is kill.run else evict.Evict(grace_period_seconds=0)
    assert (await action(spec, (victim,), whole.context)).passed
    assert (await whole.context.scope.settle(timeout_seconds=60)).passed
    proofs = [event.proof for event in await whole.events() if isinstance(event, FaultProven)]
    [left] = [proof for proof in proofs if "endpoint" in proof]
    assert left.startswith(f"{victim.status.pod_ip} left the ready endpoints of Service {whole.namespace}/web after ")
    assert len(proofs) == 2


async def pods_of(control, count):
    await control.create_pods(*(f"p{number}" for number in range(count)), app="web")
    return (await control.cluster.list(PODS, namespace="default", type=Pod)).items


async def make_services(control, count):
    for number in range(count):
        spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        await control.server.api.create("services", {"metadata": {"name": f"s{number}"}, "spec": spec}, "default")


@pytest.mark.parametrize(
    ("pods", "services", "reason"),
    [
        (MOST_VICTIMS + 1, 1, "endpoints are followed of at most 20 pods"),
        (1, 11, "11 Services select them, and 10 are followed"),
    ],
)
async def test_what_would_cost_much_is_left_out_and_said(control, on_cluster, pods, services, reason):
    """Many pods, or many Services: nobody watches, and the report says so."""
    victims = await pods_of(control, pods)
    await make_services(control, services)
    assert await track_endpoints(victims, on_cluster.context) is None
    [missing] = [event for event in await on_cluster.events() if isinstance(event, ProofMissing)]
    assert missing.reason == reason


async def test_without_a_service_there_is_nothing_to_prove(control, on_cluster):
    """Nothing selects the pod, so nothing is watched and nothing said."""
    assert await track_endpoints(await pods_of(control, 1), on_cluster.context) is None
    assert list(await on_cluster.events()) == []


async def test_who_may_not_read_services_kills_all_the_same(control, on_cluster):
    """The proof is left out with the reason; it never changes what happens."""
    [victim] = await pods_of(control, 1)
    await make_services(control, 1)
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch", "delete"]}]
    role = {"metadata": {"name": "r"}, "rules": rules}
    await control.server.api.create("roles.rbac.authorization.k8s.io", role, "default")
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "joe"}],
    }
    await control.server.api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")
    async with await control.connect_as("joe") as cluster:
        context = replace(on_cluster.context, cluster=cluster)
        assert (await kill.run(kill.Kill(force=True), (victim,), context)).passed
        assert (await context.scope.settle(timeout_seconds=60)).passed
    [missing] = [event for event in await on_cluster.events() if isinstance(event, ProofMissing)]
    assert (missing.subject, missing.reason) == (
        "the endpoints of pod default/p0", "this user may not read Services and EndpointSlices there",
    )  # fmt: skip


async def test_an_endpoint_that_stays_is_said_and_changes_no_verdict(control, on_cluster):
    """Nobody updates the slices here: after the time to wait, the pod is told to be an endpoint yet."""
    [victim] = await pods_of(control, 1)
    await make_services(control, 1)
    slices = {
        "metadata": {"name": "s0-1", "labels": {"kubernetes.io/service-name": "s0"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": "p0", "uid": victim.metadata.uid}}
        ],
    }
    await control.server.api.create("endpointslices.discovery.k8s.io", slices, "default")
    context = replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0.5))
    assert (await kill.run(kill.Kill(force=True), (victim,), context)).passed
    assert (await context.scope.settle(timeout_seconds=0.5)).passed
    [missing] = [event for event in await on_cluster.events() if isinstance(event, ProofMissing)]
    assert missing.reason == "it did not leave Service default/s0 within 0.5 s"
