import json

import pytest
from msgspec.structs import replace

from seatrial.kube.objects import Node, ObjectMeta, Pod
from seatrial.kube.resources import NODES, PODS
from seatrial.policy.models import Guardrails as GuardrailsOfPolicy
from seatrial.runtime.context import Identity, Settings
from seatrial.runtime.events import GuardrailHeld
from seatrial.runtime.guardrails import Guardrails, merge_guardrails
from seatrial.runtime.verdict import Verdict
from seatrial.targets.guardrails import guard_namespace, guard_nodes, guard_pods, refuse

OWNER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "owner-1"}
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


def limited(recorder, *, identity=None, **limits):
    settings = Settings(guardrails=Guardrails(**limits))
    return replace(recorder.context, settings=settings, identity=identity or Identity())


def pod(name, namespace="default"):
    return Pod(metadata=ObjectMeta(name=name, namespace=namespace, uid=f"{namespace}/{name}"))


async def pods(control, *names):
    listed = (await control.cluster.list(PODS, type=Pod)).items
    return [each for each in listed if each.metadata.name in names]


async def make_ready(control, *names):
    for name in names:
        await control.server.api.patch("pods", name, "default", {"status": READY}, subresource="status")


async def test_without_limits_everything_may_be_hit(recorder):
    """No guardrail, no reason, and nobody is asked anything."""
    assert await guard_pods([pod("a"), pod("b")], limited(recorder)) == ()
    assert await guard_pods([], limited(recorder, most_pods=0)) == ()


@pytest.mark.parametrize(("most", "refused"), [(2, True), (3, False), (0, True), (None, False)])
async def test_no_more_pods_than_the_limit(recorder, most, refused):
    """Three victims pass where three may be hit, and not where two may."""
    reasons = await guard_pods([pod("a"), pod("b"), pod("c")], limited(recorder, most_pods=most))
    assert bool(reasons) is refused
    if refused:
        assert reasons == (f"maxPods: the step would hit 3 pods, at most {most} may be",)


async def test_what_the_step_hit_before_counts(recorder):
    """A retry that finds other pods can't go beyond the limit; the same pods again count once."""
    context = limited(recorder, most_pods=2)
    before = frozenset({"default/a", "default/b"})
    assert await guard_pods([pod("a"), pod("b")], context, earlier=before) == ()
    [reason] = await guard_pods([pod("c")], context, earlier=before)
    assert reason == "maxPods: the step would hit 3 pods with those it hit before, at most 2 may be"


async def test_kube_system_is_left_alone_unless_named_exactly(recorder):
    """A matcher for all namespaces doesn't reach it, one that names it does."""
    victims = [pod("a"), pod("dns", "kube-system")]
    [reason] = await guard_pods(victims, limited(recorder))
    assert reason == "protectNamespaces: the namespace kube-system is protected unless a matcher names it exactly"
    assert await guard_pods(victims, limited(recorder), named=frozenset({"kube-system"})) == ()


async def test_its_own_namespace_is_left_alone_unless_named_exactly(recorder):
    """The same for the namespace that Seatrial runs in; outside a cluster there is none."""
    context = limited(recorder, identity=Identity(pod_name="me", pod_namespace="chaos"))
    [reason] = await guard_pods([pod("a", "chaos")], context)
    assert reason == "protectNamespaces: Seatrial itself runs in chaos, which is protected unless a matcher names it"
    assert await guard_pods([pod("a", "chaos")], context, named=frozenset({"chaos"})) == ()
    assert await guard_pods([pod("a", "chaos")], limited(recorder)) == ()


async def test_a_protected_namespace_is_left_alone_also_when_named(recorder):
    """Who protects a namespace means it."""
    context = limited(recorder, protected=frozenset({"shop"}))
    named = frozenset({"shop"})
    assert await guard_pods([pod("a", "shop")], context, named=named) == (
        "protectNamespaces: the namespace shop is protected",
    )
    assert await guard_namespace("shop", context) == ("protectNamespaces: the namespace shop is protected",)
    assert await guard_namespace("other", context) == ()


@pytest.mark.parametrize(("least", "refused"), [(1, False), (2, True)])
async def test_each_owner_keeps_its_ready_pods(control, on_cluster, least, refused):
    """Two of three Ready pods are hit: one is left, which is enough for 1 and not for 2."""
    await control.create_pods("a", "b", "c", owner=OWNER)
    await make_ready(control, "a", "b", "c")
    reasons = await guard_pods(await pods(control, "a", "b"), limited(on_cluster, least_left=least))
    words = "minLeft: StatefulSet/db in default would be left 1 Ready pod of 3, it must keep 2"
    assert reasons == ((words,) if refused else ())


async def test_a_pod_that_is_not_ready_is_no_loss(control, on_cluster):
    """To hit a pod that doesn't serve leaves the owner as many Ready pods as it had."""
    await control.create_pods("a", "b", owner=OWNER)
    await make_ready(control, "a")
    assert await guard_pods(await pods(control, "b"), limited(on_cluster, least_left=1)) == ()


async def test_a_budget_that_would_break_holds_the_step_back(control, on_cluster):
    """Where budgets are to be respected a kill asks them too; an eviction is asked by the API server anyway."""
    await control.create_pods("a", "b", app="web")
    await control.server.api.create(
        "poddisruptionbudgets.policy",
        {"metadata": {"name": "web"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}},
        "default",
    )
    victims, context = await pods(control, "a", "b"), limited(on_cluster, respect_budgets=True)
    assert await guard_pods(victims, context) == (
        "respectPdb: PodDisruptionBudget default/web allows 0 of the 2 disruptions",
    )
    assert await guard_pods(victims, context, honours_budgets=True) == ()
    assert await guard_pods(victims, limited(on_cluster)) == ()


async def test_a_limit_that_can_t_be_checked_holds_the_step_back(control, on_cluster):
    """Who may not read budgets or pods can't know that they hold: refused, with what is missing."""
    await control.create_pods("a", owner=OWNER)
    victims = await pods(control, "a")
    async with await control.connect_as("jane") as cluster:
        context = replace(limited(on_cluster, least_left=1, respect_budgets=True), cluster=cluster)
        left, budgets = await guard_pods(victims, context)
    assert left.startswith('minLeft: can\'t be checked: pods is forbidden: User "jane" cannot list resource "pods"')
    assert budgets.startswith("respectPdb: can't be checked: poddisruptionbudgets.policy is forbidden")


@pytest.mark.parametrize(("most", "refused"), [(1, True), (2, False)])
async def test_no_more_nodes_than_the_limit(recorder, most, refused):
    """Two nodes pass where two may be hit."""
    nodes = [Node(metadata=ObjectMeta(name=name)) for name in ("n1", "n2")]
    reasons = await guard_nodes(nodes, limited(recorder, most_nodes=most), disrupts_pods=False)
    assert reasons == (("maxNodes: the step would hit 2 nodes, at most 1 may be",) if refused else ())


async def test_a_node_s_pods_are_lost_with_it(control, on_cluster):
    """A node whose loss leaves an owner too few, or that runs pods of a protected namespace, is not hit."""
    await control.server.api.create("nodes", {"metadata": {"name": "n1"}})
    await control.create_pods("a", "b", owner=OWNER)
    await make_ready(control, "a", "b")
    binding = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n1"}}
    await control.cluster.request(
        "POST", "/api/v1/namespaces/default/pods/a/binding",
        body=json.dumps({"apiVersion": "v1", "kind": "Binding", **binding}).encode(),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    nodes = (await control.cluster.list(NODES, type=Node)).items
    [reason] = await guard_nodes(nodes, limited(on_cluster, least_left=2))
    assert reason == "minLeft: StatefulSet/db in default would be left 1 Ready pod of 2, it must keep 2"
    assert await guard_nodes(nodes, limited(on_cluster, least_left=1)) == ()
    protected = limited(on_cluster, protected=frozenset({"default"}))
    assert await guard_nodes(nodes, protected) == (
        "protectNamespaces: pods of the protected namespace default run there",
    )
    assert await guard_nodes(nodes, protected, disrupts_pods=False) == ()


async def test_a_refusal_is_told_and_inconclusive(recorder):
    """Each guardrail that held is an event; the step shows nothing, and those after it would not either."""
    outcome = refuse(("maxPods: too many", "respectPdb: web allows 0"), recorder.context)
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, True)
    assert outcome.reasons == ("refused by a guardrail: maxPods: too many; respectPdb: web allows 0",)
    assert list(await recorder.events()) == [
        GuardrailHeld(guardrail="maxPods", reason="too many"),
        GuardrailHeld(guardrail="respectPdb", reason="web allows 0"),
    ]


def test_of_the_policy_and_the_command_line_the_stricter_holds():
    """Limit by limit; neither can loosen what the other says."""
    policy = GuardrailsOfPolicy(
        max_pods=3, min_left=2, protect_namespaces=["a"], respect_pdb=True, max_share_of_zone=0.5, max_control_plane=1
    )
    flags = Guardrails(
        most_pods=5, most_nodes=1, least_left=1, protected=frozenset({"b"}), most_of_zone=0.25, most_of_control_plane=2
    )
    assert merge_guardrails(policy, flags) == Guardrails(
        most_pods=3,
        most_nodes=1,
        most_of_zone=0.25,
        most_of_control_plane=1,
        least_left=2,
        protected=frozenset({"a", "b"}),
        respect_budgets=True,
    )
    assert merge_guardrails(GuardrailsOfPolicy(), Guardrails()) == Guardrails()
    assert merge_guardrails(GuardrailsOfPolicy(max_pods=0), Guardrails(most_pods=2)).most_pods == 0


@pytest.mark.parametrize(
    ("policy", "flag", "keeps"),
    [(None, None, True), (False, None, False), (None, False, False), (False, True, True), (True, False, True)],
)
def test_the_quorum_is_kept_unless_a_guardrail_says_otherwise_and_none_objects(policy, flag, keeps):
    """Nobody speaks: it is kept. One gives it up, and the other is silent: it isn't. One insists: it is."""
    merged = merge_guardrails(GuardrailsOfPolicy(keep_etcd_quorum=policy), Guardrails(etcd_quorum=flag))
    assert merged.keeps_etcd_quorum is keeps
