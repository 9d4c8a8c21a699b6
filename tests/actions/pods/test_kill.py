import asyncio

import pytest
from msgspec import structs
from msgspec.structs import replace

from seatrial.actions.pods.kill import Kill, choose, plan, run
from seatrial.actions.pods.recovery import track_recovery
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.runtime.context import Settings
from seatrial.runtime.events import PodKilled, PodKillSkipped, PodRecovered, RecoveryMissed
from seatrial.runtime.verdict import Verdict

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "owner-1"}


async def pods(control):
    return tuple((await control.cluster.list(PODS, namespace="default", type=Pod)).items)


async def begin_to_end(control, name):
    """Lets a pod be terminating: deleted, but held by a finalizer."""
    await control.server.api.patch("pods", name, "default", {"metadata": {"finalizers": ["example.com/wait"]}})
    await control.server.api.delete("pods", name, "default")


def settled(context, seconds=30):
    return asyncio.wait_for(context.scope.settle(timeout_seconds=seconds), 60)


async def test_all_are_killed_and_told(control, on_cluster):
    """Every pod is gone, and each kill says whether the pod's owner replaces it."""
    await control.create_pods("owned", owner=OWNER)
    await control.create_pods("bare")
    context = replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0))
    assert (await run(Kill(force=True), await pods(control), context)).passed
    assert await control.pod_names() == []
    killed = [event for event in await on_cluster.events() if isinstance(event, PodKilled)]
    assert {event.pod.name: event.replaced for event in killed} == {"owned": True, "bare": False}


async def test_the_recovery_of_a_killed_pod_is_measured(control, on_cluster):
    """The scenario waits for the replacement to be Ready, and its times count from the kill."""
    await control.create_pods("old", owner=OWNER)
    assert (await run(Kill(force=True), await pods(control), on_cluster.context)).passed
    await control.create_pods("new", owner=OWNER)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await control.server.api.patch("pods", "new", "default", {"status": ready}, subresource="status")
    assert (await settled(on_cluster.context)).passed
    [event] = [event for event in await on_cluster.events() if isinstance(event, PodRecovered)]
    assert (event.pod.name, event.replacement.name) == ("old", "new")
    assert 0 <= event.created_ms <= event.ready_ms


async def test_a_terminating_pod_is_not_tracked(control, on_cluster):
    """Killed by force while it ends: its replacement came long ago, so nobody waits for one."""
    await control.create_pods("ending", owner=OWNER)
    await begin_to_end(control, "ending")
    assert (await run(Kill(force=True), await pods(control), on_cluster.context)).passed
    assert (await settled(on_cluster.context)).passed
    assert [event for event in await on_cluster.events() if isinstance(event, RecoveryMissed)] == []


async def test_only_the_pods_that_are_not_going_anyway_are_chosen(control, on_cluster):
    """Of two pods one is terminating: the other is killed, and both are told."""
    await control.create_pods("ending", "living")
    await begin_to_end(control, "ending")
    assert [pod.metadata.name for pod in choose(Kill(), await pods(control), on_cluster.context)] == ["living"]
    assert (await run(Kill(), await pods(control), on_cluster.context)).passed
    events = list(await on_cluster.events())
    assert [event.pod.name for event in events if isinstance(event, PodKilled)] == ["living"]
    assert [(event.pod.name, event.reason, event.error) for event in events if isinstance(event, PodKillSkipped)] == [
        ("ending", "it is terminating already", False)
    ]


async def test_with_probability_0_nothing_was_shown(control, on_cluster):
    """Pods that the dice spared make the step inconclusive, and say so."""
    await control.create_pods("a", "b")
    outcome = await run(Kill(probability=0), await pods(control), on_cluster.context)
    assert (outcome.verdict, outcome.reasons) == (
        Verdict.INCONCLUSIVE,
        ("no pod was killed: spared by probability 0",),
    )
    assert await control.pod_names() == ["a", "b"]


async def test_the_seed_decides_which_pods_are_spared(control, on_cluster):
    """The same seed at the same place spares the same pods."""
    await control.create_pods(*(f"p{number}" for number in range(10)))
    found, spec = await pods(control), Kill(probability=0.5)
    once, again = (choose(spec, found, on_cluster.context) for _ in range(2))
    assert once == again
    assert 0 < len(once) < 10


async def test_three_hundred_pods_that_are_not_replaced_give_one_reason(control, on_cluster):
    """Each pod without a replacement is an event; the reason names one of them and counts the others."""
    await control.create_pods("p000", owner=OWNER)
    [first] = await pods(control)
    metas = [structs.replace(first.metadata, name=f"p{number:03}", uid=f"uid-{number}") for number in range(300)]
    context = replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0.01))
    tracker = await track_recovery([structs.replace(first, metadata=meta) for meta in metas], context)
    for meta in metas:
        tracker.kill_sent(meta.uid, 0.0)
    outcome = await settled(context, seconds=0.01)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    [reason] = outcome.reasons
    assert reason == (
        "default/p000 was killed: no replacement was created within 0.01 s "
        "(and 299 more killed pods without a Ready replacement)"
    )
    await context.scope.close()
    assert sum(isinstance(event, RecoveryMissed) for event in await on_cluster.events()) == 300


@pytest.mark.parametrize("count", [1, 3])
async def test_pods_that_go_away_before_the_kill_are_told(control, on_cluster, count):
    """A pod that was gone is skipped; where all were, the step had nothing to do and nobody waits."""
    await control.create_pods("x", "y", "z", owner=OWNER)
    found = await pods(control)
    for pod in found[:count]:
        await control.server.api.delete("pods", pod.metadata.name, "default")
    outcome = await run(Kill(force=True), found[:count], on_cluster.context)
    assert outcome.reasons == ("every chosen pod was gone before the kill arrived",)
    assert (await settled(on_cluster.context)).passed


STATIC = {"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}


async def test_a_static_pod_is_not_killed_and_not_said_to_be(control, on_cluster):
    """What the API server has of it is only an image, which would come back: the kill was not carried out."""
    await control.create_pods("etcd", "web", owner=OWNER)
    await control.server.api.patch("pods", "etcd", "default", STATIC)
    context = replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0))
    [note] = (await plan(Kill(), await pods(control), context)).notes
    assert note.startswith("default/etcd would stay: it is a static pod")
    outcome = await run(Kill(force=True), await pods(control), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons[0].startswith("1 of 2 pods could not be killed: it is a static pod")
    assert await control.pod_names() == ["etcd"]


async def test_nobody_waits_for_the_replacement_of_a_static_pod(control, on_cluster):
    """The scenario is done with it at once."""
    await control.create_pods("etcd", owner=OWNER)
    await control.server.api.patch("pods", "etcd", "default", STATIC)
    assert not (await run(Kill(), await pods(control), on_cluster.context)).passed
    assert (await settled(on_cluster.context)).passed
