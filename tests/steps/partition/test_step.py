"""The step partition on an API server: which policies it makes, when it refuses, what it leaves."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.engine.unwind import unwind
from seatrial.errors import ClusterError
from seatrial.kube.errors import Forbidden
from seatrial.kube.resources import NAMESPACES, NETWORKPOLICIES, PODS
from seatrial.runtime.context import Identity, Settings
from seatrial.runtime.events import GuardrailHeld, ProofMissing
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.steps.partition.model import Partition
from seatrial.steps.partition.step import plan, run

CART = {"namespace": "shop", "selector": "app=cart"}
STOCK = {"namespace": "store", "selector": "app=stock"}


@pytest.fixture
async def _garbage_collector(control):
    """Lets go of what is deleted in the foreground, as the garbage collector does where there are no dependents."""

    async def collect():
        async with control.cluster.watch(NETWORKPOLICIES) as watch:
            async for event in watch:
                meta = event.object["metadata"]
                if event.type != "DELETED" and meta.get("deletionTimestamp"):
                    let_go = {"metadata": {"finalizers": None}}
                    namespace = meta["namespace"]
                    await control.cluster.patch(NETWORKPOLICIES, meta["name"], let_go, namespace=namespace)

    collecting = asyncio.create_task(collect())
    yield
    collecting.cancel()
    await asyncio.gather(collecting, return_exceptions=True)


@pytest.fixture
async def shop(control, on_cluster, _garbage_collector):
    """Two namespaces with pods that have addresses, as a run in whose journal undos may stand."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    for namespace in ("shop", "store"):
        await control.cluster.create(NAMESPACES, {"metadata": {"name": namespace}})
    await create_pod(control, "cart-1", "shop", "10.1.0.1", app="cart")
    await create_pod(control, "stock-1", "store", "10.1.0.2", app="stock")
    return control


async def create_pod(control, name, namespace, address, *, host_network=False, **labels):
    spec = {"containers": [{"name": "c", "image": "busybox"}], "hostNetwork": host_network}
    await control.cluster.create(
        PODS, {"metadata": {"name": name, "labels": labels}, "spec": spec}, namespace=namespace
    )
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    await control.cluster.patch(PODS, name, {"status": status}, namespace=namespace, subresource="status")


async def create_policy(control, name, namespace, **spec):
    body = {"metadata": {"name": name}, "spec": {"podSelector": {}, **spec}}
    await control.cluster.create(NETWORKPOLICIES, body, namespace=namespace)


async def policies(control):
    """The NetworkPolicies that there are: namespace, type, and the addresses that they close out."""
    found = []
    for each in (await control.cluster.list(NETWORKPOLICIES)).items:
        [type_] = each["spec"]["policyTypes"]
        rules = each["spec"].get(type_.lower()) or []
        peers = [peer for rule in rules for peer in rule.get("from") or rule.get("to") or ()]
        closed = [ip for peer in peers if "ipBlock" in peer for ip in peer["ipBlock"].get("except", ())]
        found.append((each["metadata"]["namespace"], type_, closed))
    return sorted(found)


async def let_read(control, user):
    """Let a user read pods, policies and what else there is of the two groups, and change nothing."""
    kinds = "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["", "networking.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]}]
    await control.server.api.create(kinds[0], {"metadata": {"name": "reader"}, "rules": rules})
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "ClusterRole", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "r"}, "subjects": [subject], "roleRef": reference}
    await control.server.api.create(kinds[1], binding)


def partition(**given):
    return Partition.model_validate({"pods": CART, "from": {"pods": STOCK}, **given})


async def undo_all(recorder):
    context = recorder.context
    await context.scope.last_look()
    await unwind(context.journal.newer_than(0), context, hurry=asyncio.Event())
    return context.journal.failures


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("both", [("shop", "Ingress", ["10.1.0.2/32"]), ("store", "Ingress", ["10.1.0.1/32"])]),
        ("out", [("store", "Ingress", ["10.1.0.1/32"])]),
        ("in", [("shop", "Ingress", ["10.1.0.2/32"])]),
    ],
)
async def test_connections_are_cut_where_they_end(shop, on_cluster, direction, expected):
    """One policy for each direction; clean-up deletes exactly these, and nothing of others."""
    await create_policy(shop, "others", "default", policyTypes=["Ingress"])
    await run(partition(direction=direction), on_cluster.context)
    assert await policies(shop) == [("default", "Ingress", []), *expected]
    assert await undo_all(on_cluster) == []
    assert await policies(shop) == [("default", "Ingress", [])]


async def test_without_a_probe_nobody_saw_anything_cut(shop, on_cluster):
    """A cluster takes policies that nothing enforces: inconclusive, and the steps after it still run."""
    outcome = await run(partition(), on_cluster.context)
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, False)
    assert outcome.reasons == (
        "nobody saw whether connections out of the pods app=cart in shop are cut",
        "nobody saw whether connections into the pods app=cart in shop are cut",
    )
    missing = [event.subject for event in await on_cluster.events() if isinstance(event, ProofMissing)]
    assert missing == [
        "pods app=cart in shop parted from pods app=stock in store (out)",
        "pods app=cart in shop parted from pods app=stock in store (in)",
    ]


async def test_where_a_policy_decides_already_the_other_side_is_cut(shop, on_cluster):
    """One more policy on that side would open what the other closes."""
    await create_policy(shop, "tight", "store", policyTypes=["Ingress"], ingress=[])
    await run(partition(direction="out"), on_cluster.context)
    assert await policies(shop) == [("shop", "Egress", ["10.1.0.2/32"]), ("store", "Ingress", [])]


async def test_where_policies_decide_on_both_sides_it_refuses_before_it_touches_anything(shop, on_cluster):
    """Policies add up, so that none takes away what another allows; they are named, and so they are by the plan."""
    await create_policy(shop, "in", "store", policyTypes=["Ingress"], ingress=[{}])
    await create_policy(shop, "out", "shop", policyTypes=["Egress"], egress=[{}])
    expected = (
        "connections out of the pods app=cart in shop can't be cut by a NetworkPolicy: NetworkPolicy store/in,"
        " NetworkPolicy shop/out select pods on each side already, and one more could only allow more"
    )
    outcome = await run(partition(), on_cluster.context)
    assert (outcome.verdict, outcome.ends_scenario, outcome.reasons) == (Verdict.INCONCLUSIVE, True, (expected,))
    assert (await plan(partition(), on_cluster.context)).refused == (expected,)
    assert len(await policies(shop)) == 2
    assert on_cluster.context.journal.newer_than(0) == []


async def test_a_policy_of_other_pods_is_not_in_the_way(shop, on_cluster):
    """Nor is one that has no say in that direction."""
    await create_policy(shop, "o", "store", policyTypes=["Ingress"], podSelector={"matchLabels": {"app": "else"}})
    await create_policy(shop, "e", "store", policyTypes=["Egress"])
    await run(partition(direction="out"), on_cluster.context)
    assert ("store", "Ingress", ["10.1.0.1/32"]) in await policies(shop)


async def test_everything_is_cut_by_allowing_nothing(shop, on_cluster):
    """A policy that allows nothing, either, is not in the way; one that allows something is."""
    await create_policy(shop, "none", "shop", policyTypes=["Egress"], egress=[])
    everything = partition(**{"from": {"everything": {}}})
    await run(everything, on_cluster.context)
    assert await policies(shop) == [("shop", "Egress", []), ("shop", "Egress", []), ("shop", "Ingress", [])]
    assert await undo_all(on_cluster) == []
    await create_policy(shop, "some", "shop", policyTypes=["Egress"], egress=[{"ports": [{"port": 443}]}])
    outcome = await run(everything, on_cluster.context)
    assert "NetworkPolicy shop/some decide about them already" in outcome.reasons[0]


async def test_the_addresses_of_pods_that_come_later_are_cut_off_too(shop, on_cluster):
    """Where a plugin takes ranges to mean pods a new pod would get through; those that are gone are let in again."""
    await run(partition(direction="out"), on_cluster.context)

    async def until(closed):
        async with asyncio.timeout(60), shop.cluster.watch(NETWORKPOLICIES) as watch:
            if await policies(shop) != [("store", "Ingress", closed)]:
                async for _ in watch:
                    if await policies(shop) == [("store", "Ingress", closed)]:
                        break

    await create_pod(shop, "cart-2", "shop", "10.1.0.3", app="cart")
    await until(["10.1.0.1/32", "10.1.0.3/32"])
    await shop.cluster.delete(PODS, "cart-1", namespace="shop")
    await until(["10.1.0.3/32"])
    assert await undo_all(on_cluster) == []
    assert await policies(shop) == []


async def test_a_policy_that_somebody_deletes_is_not_made_again(shop, on_cluster):
    """Whoever took it away wanted the pods to meet; clean-up finds nothing to do."""
    await run(partition(direction="out"), on_cluster.context)
    [ours] = (await shop.cluster.list(NETWORKPOLICIES)).items
    await shop.cluster.delete(NETWORKPOLICIES, ours["metadata"]["name"], namespace="store")
    await create_pod(shop, "cart-2", "shop", "10.1.0.3", app="cart")
    assert (await on_cluster.context.scope.last_look()).passed
    assert await undo_all(on_cluster) == []
    assert await policies(shop) == []


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ({"namespace": "shop", "selector": "app=nobody"}, "there are no pods app=nobody in shop"),
        ({"namespace": "moon"}, "there is no namespace 'moon'"),
    ],
    ids=["no pods", "no namespace"],
)
async def test_nobody_to_part_is_inconclusive(shop, on_cluster, group, reason):
    """Whichever side is empty; nothing is made."""
    for given in ({"pods": group}, {"from": {"pods": group}}):
        outcome = await run(partition(**given), on_cluster.context)
        assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, (reason,))
    assert await policies(shop) == []


async def test_a_pod_is_not_parted_from_itself(shop, on_cluster):
    """Groups that share a pod would cut it off from its own like, which nobody asked for."""
    outcome = await run(partition(**{"from": {"pods": {"namespace": "shop"}}}), on_cluster.context)
    assert outcome.reasons == ("pod shop/cart-1 is on both sides",)
    assert await policies(shop) == []


async def test_pods_with_their_nodes_network_are_not_governed(shop, on_cluster):
    """All of a side: it refuses; some of it: the plan says how many."""
    await create_pod(shop, "host-1", "store", "192.0.2.1", host_network=True, app="agent")
    agents = {"namespace": "store", "selector": "app=agent"}
    outcome = await run(partition(**{"from": {"pods": agents}}), on_cluster.context)
    assert outcome.reasons == (
        "all pods app=agent in store have their node's network, which NetworkPolicies don't govern",
    )
    planned = await plan(partition(**{"from": {"pods": {"namespace": "store"}}}), on_cluster.context)
    assert planned.notes[0] == (
        "1 pod of the pods in store with their node's network can't be cut off by NetworkPolicies"
    )


async def test_seatrial_never_cuts_itself_off(shop, on_cluster):
    """On neither side."""
    identity = Identity(pod_name="stock-1", pod_namespace="store")
    outcome = await run(partition(), replace(on_cluster.context, identity=identity))
    assert outcome.reasons == ("Seatrial itself is one of the pods app=stock in store: store/stock-1",)


async def test_guardrails_hold_it_back(shop, on_cluster):
    """The partitioned pods count as hit, and protected namespaces get no policy."""
    for guardrails, held in (
        (Guardrails(most_pods=0), "maxPods"),
        (Guardrails(protected=frozenset({"store"})), "protectNamespaces"),
    ):
        context = replace(on_cluster.context, settings=Settings(guardrails=guardrails))
        outcome = await run(partition(), context)
        assert outcome.verdict is Verdict.INCONCLUSIVE
        assert (await plan(partition(), context)).refused[0].startswith(held)
    assert {event.guardrail for event in await on_cluster.events() if isinstance(event, GuardrailHeld)} == {
        "maxPods",
        "protectNamespaces",
    }
    assert await policies(shop) == []


async def test_the_plan_says_what_would_be_made_and_makes_nothing(shop, on_cluster):
    """The policies with whom they close out, the pods that are hit, what isn't cut, and what nobody would see."""
    planned = await plan(partition(direction="out"), on_cluster.context)
    [change] = planned.changes
    assert change.startswith("create NetworkPolicy store/seatrial-partition-")
    assert change.endswith("(pods app=stock in store: none from pods app=cart in shop)")
    assert [each.name for each in planned.victims] == [each.name for each in planned.targets] == ["cart-1"]
    assert "connections that stand may live on, as the cluster's network plugin has it" in planned.notes
    assert "nobody would see whether connections out of the pods are cut: no probe" in planned.notes
    assert planned.allowed
    assert await policies(shop) == []


async def test_missing_permissions_are_said_by_the_plan(shop, on_cluster):
    """For each namespace that gets a policy, has addresses to be followed, or a pod with a probe."""
    await let_read(shop, "rita")
    async with await shop.connect_as("rita") as rita:
        context = replace(on_cluster.context, cluster=rita)
        spec = partition(direction="out", probes=[{"command": ["true"]}])
        planned = await plan(spec, context)
    assert planned.missing_permissions == (
        "create networkpolicies in store",
        "patch networkpolicies in store",
        "delete networkpolicies in store",
        "watch pods in shop",
        "create pods/exec in shop",
    )


async def test_what_another_run_left_behind_is_said(shop, on_cluster):
    """With the command that cleans up after it; nothing is made beside it."""
    body = {"metadata": {"name": "old", "labels": {"seatrial.io/run": "other"}}, "spec": {"podSelector": {}}}
    await shop.cluster.create(NETWORKPOLICIES, body, namespace="store")
    with pytest.raises(ClusterError, match="run other is at work on NetworkPolicy store/old") as caught:
        await run(partition(direction="out"), on_cluster.context)
    assert caught.value.hint == "if it has ended: seatrial recover --run other"
    assert await policies(shop) == [("store", "Ingress", [])]


async def test_a_policy_that_may_not_be_made_leaves_nothing_to_undo(shop, on_cluster):
    """Nothing was cut, so that clean-up neither deletes anything nor claims to have seen the end of it."""
    await let_read(shop, "rita")
    async with await shop.connect_as("rita") as rita:
        with pytest.raises(Forbidden):
            await run(partition(), replace(on_cluster.context, cluster=rita))
    assert on_cluster.context.journal.newer_than(0) == []
