import asyncio

import pytest

from seatrial.actions.pods.evict import Evict, choose, plan, run
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODDISRUPTIONBUDGETS, PODS
from seatrial.runtime.events import EvictionBlocked, FaultProven, PodEvicted, PodRecovered
from seatrial.runtime.verdict import Verdict


def evict(**given):
    return Evict.model_validate(given)


async def budget(whole, name, *, allowed, **spec):
    """A PodDisruptionBudget that its controller has looked at."""
    selector = {"matchLabels": {"app": name}}
    body = {"metadata": {"name": name, "namespace": whole.namespace}, "spec": {"selector": selector, **spec}}
    await whole.cluster.create(PODDISRUPTIONBUDGETS, body)
    async with asyncio.timeout(30), whole.cluster.watch(PODDISRUPTIONBUDGETS, namespace=whole.namespace) as watch:
        now = watch.snapshot[0]
        while now.get("status", {}).get("disruptionsAllowed") != allowed:
            now = (await anext(watch)).object


async def test_evicted_pods_are_replaced_and_measured(whole):
    """Without a budget an eviction is a graceful end, seen and followed like a kill."""
    pods = await whole.deploy("web", replicas=2)
    assert (await run(evict(), pods, whole.context)).passed
    assert (await whole.context.scope.settle(timeout_seconds=60)).passed
    told = list(await whole.events())
    for kind in (PodEvicted, FaultProven, PodRecovered):
        assert sum(isinstance(event, kind) for event in told) == 2


async def test_a_budget_blocks_and_nothing_fails(whole):
    """Blocked is reported as blocked: not carried out, no failure, and the pods that may go do."""
    pods = await whole.deploy("web", replicas=2)
    await budget(whole, "web", allowed=1, minAvailable=1)
    outcome = await run(evict(), pods, whole.context)
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, False)
    assert outcome.reasons == ("1 of 2 pods were not evicted: PodDisruptionBudgets blocked it",)
    told = list(await whole.events())
    assert sum(isinstance(event, PodEvicted) for event in told) == 1
    [blocked] = [event for event in told if isinstance(event, EvictionBlocked)]
    assert "web" in " ".join(blocked.budgets)


async def test_a_blocked_eviction_is_tried_again_until_the_budget_allows_it(whole):
    """With a timeout, both pods go one after the other as replacements get Ready."""
    pods = await whole.deploy("web", replicas=2)
    await budget(whole, "web", allowed=1, minAvailable=1)
    clock = whole.clock
    original = clock.sleep

    async def sleep(seconds):
        await original(seconds)
        await asyncio.sleep(0.1)  # the fake clock flies; the cluster's doesn't

    clock.sleep = sleep
    assert (await run(evict(timeout=3000, sleep=5), pods, whole.context)).passed
    assert (await whole.context.scope.settle(timeout_seconds=60)).passed
    left = {pod.metadata.uid for pod in await whole.until_ready("web", 2)}
    assert left.isdisjoint(pod.metadata.uid for pod in pods)


async def test_a_plan_says_what_a_budget_would_block(whole):
    """As many evictions as the budget doesn't allow at the moment."""
    pods = await whole.deploy("web", replicas=2)
    await budget(whole, "web", allowed=0, maxUnavailable=0)
    assert (await plan(evict(), pods, whole.context)).notes == (
        f"PodDisruptionBudget {whole.namespace}/web would block 2 of 2 evictions",
    )


@pytest.mark.parametrize(("probability", "count"), [(0, 0), (1, 2)])
async def test_the_dice_decide_for_each_pod(control, on_cluster, probability, count):
    """With probability 0 nobody is chosen, and the step says that nothing was done."""
    await control.create_pods("a", "b")
    pods = tuple((await control.cluster.list(PODS, namespace="default", type=Pod)).items)
    spec = evict(probability=probability)
    assert len(choose(spec, pods, on_cluster.context)) == count
    if not count:
        outcome = await run(spec, pods, on_cluster.context)
        assert outcome.reasons == ("no pod was evicted: spared by probability 0",)


async def test_a_static_pod_is_not_evicted(control, on_cluster):
    """The API server would take its image away and say that it went well; the pod would run on."""
    await control.create_pods("etcd")
    patch = {"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}
    await control.server.api.patch("pods", "etcd", "default", patch)
    pods = tuple((await control.cluster.list(PODS, namespace="default", type=Pod)).items)
    assert any("static pod" in note for note in (await plan(evict(), pods, on_cluster.context)).notes)
    outcome = await run(evict(), pods, on_cluster.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "it is a static pod" in outcome.reasons[0]
    assert await control.pod_names() == ["etcd"]
