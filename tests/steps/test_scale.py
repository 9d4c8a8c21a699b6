import asyncio

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.engine.unwind import unwind
from seatrial.errors import ClusterError, SeatrialError
from seatrial.kube.resources import DEPLOYMENTS
from seatrial.runtime.context import Settings
from seatrial.runtime.events import FaultCleared, FaultProven, MeasurementTaken, ProofMissing, UndoDone
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.steps.scale import Scale, plan, run

TARGET = {"deployment": {"name": "cart", "namespace": "default"}}


def scale(**given):
    return Scale.model_validate({"target": TARGET, **given})


@pytest.fixture
async def cart(control, on_cluster):
    """A Deployment of three replicas; `obey` plays its controller."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    template = {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "cart"}}, "template": template}
    await control.server.api.create("deployments.apps", {"metadata": {"name": "cart"}, "spec": spec}, "default")
    return Cart(control, on_cluster)


class Cart:
    def __init__(self, control, recorder):
        self.api = control.server.api
        self.cluster = control.cluster
        self.recorder = recorder
        self.context = recorder.context

    async def replicas(self):
        return (await self.cluster.get(DEPLOYMENTS, "cart", namespace="default"))["spec"]["replicas"]

    async def report(self, ready, *, replicas=None):
        """Say in its status how many replicas it has, of its latest generation."""
        now = await self.cluster.get(DEPLOYMENTS, "cart", namespace="default")
        status = {
            "replicas": ready if replicas is None else replicas, "readyReplicas": ready,
            "observedGeneration": now["metadata"]["generation"],
        }  # fmt: skip
        await self.api.patch("deployments.apps", "cart", "default", {"status": status}, subresource="status")

    async def obey(self):
        """Report as many Ready replicas as are wanted, as often as that changes."""
        async with self.cluster.watch(DEPLOYMENTS, namespace="default") as watch:
            last = None
            async for event in watch:
                if (wanted := event.object["spec"]["replicas"]) != last:
                    last = wanted
                    await self.report(wanted)

    async def run(self, spec, context=None):
        """Run the step while the controller obeys."""
        obeying = asyncio.create_task(self.obey())
        try:
            return await run(spec, context or self.context)
        finally:
            obeying.cancel()
            await asyncio.gather(obeying, return_exceptions=True)

    async def undo(self):
        await unwind(self.context.journal.newer_than(0), self.context, hurry=asyncio.Event())
        return self.context.journal.failures


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"replicas": 5}, 5),
        ({"replicas": 0}, 0),
        ({"by": 2}, 5),
        ({"by": -1}, 2),
        ({"by": -9}, 0),
        ({"factor": 2}, 6),
        ({"factor": 0.5}, 1),
    ],
)
async def test_it_scales_and_clean_up_scales_back(cart, given, wanted):
    """To a number, by a number, or so many times as many, rounded down; at the end there are three again."""
    assert (await cart.run(scale(**given))).passed
    assert await cart.replicas() == wanted
    assert await cart.undo() == []
    assert await cart.replicas() == 3


@pytest.mark.parametrize(
    "given", [{}, {"replicas": 1, "by": 1}, {"replicas": -1}, {"factor": -0.5}, {"timeout": 0, "by": 1}]
)
def test_exactly_one_number_that_makes_sense(given):
    """None, two, or a negative one is a problem of the policy."""
    with pytest.raises(ValidationError):
        scale(**given)


async def test_it_is_seen_and_measured(cart):
    """Ready replicas are the proof, and how long it took a measurement."""
    assert (await cart.run(scale(replicas=5))).passed
    told = list(await cart.recorder.events())
    [proof] = [event for event in told if isinstance(event, FaultProven)]
    assert (proof.subject, proof.proof) == ("Deployment default/cart", "5 Ready replicas of 5, 3 before")
    [measured] = [event for event in told if isinstance(event, MeasurementTaken)]
    assert (measured.name, measured.of) == ("timeToScale", "Deployment default/cart")
    assert measured.seconds > 0


async def test_what_is_not_ready_in_time_fails(cart):
    """The system did not scale as fast as the policy expects, with how far it came."""
    await cart.report(2)
    outcome = await run(scale(replicas=5, timeout=0.2), cart.context)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == ("Deployment default/cart has 2 Ready replicas of 5 within 0.2 s",)


async def test_clean_up_waits_until_as_many_are_ready_as_before(cart):
    """The number is put back first, then its replicas are waited for, and seen: that is the proof that it is over."""
    await cart.report(3)
    assert (await cart.run(scale(replicas=1))).passed
    obeying = asyncio.create_task(cart.obey())
    assert await cart.undo() == []
    obeying.cancel()
    assert await cart.replicas() == 3
    [cleared] = [event for event in await cart.recorder.events() if isinstance(event, FaultCleared)]
    assert cleared.subject == "Deployment default/cart"
    assert cleared.proof.startswith("3 Ready replicas of 3 again, ")


async def test_replicas_that_don_t_return_leave_clean_up_incomplete(cart):
    """The number is back, the pods are not: said with how many there are, and what a person looks at."""
    await cart.report(2, replicas=3)
    assert (await run(scale(replicas=5, wait=False, timeout=0.3), cart.context)).passed
    written = cart.context.journal.newer_than(0)
    assert [each.undo.kind for each in written] == ["revertFields", "awaitReplicas"]
    assert written[1].undo.manual == (
        "kubectl wait '--for=jsonpath={.status.readyReplicas}=2' deployments.apps/cart -n default --timeout=120s"
    )
    await cart.report(1, replicas=5)
    [failure] = await cart.undo()
    assert failure.endswith("Deployment default/cart has 1 Ready replica of 2 after 0.3 s")
    assert await cart.replicas() == 3


async def test_replicas_that_were_not_ready_before_are_not_waited_for(cart):
    """Clean-up asks for no more than there was."""
    await cart.report(0, replicas=3)
    assert (await run(scale(replicas=5, wait=False), cart.context)).passed
    assert [each.undo.kind for each in cart.context.journal.newer_than(0)] == ["revertFields"]


@pytest.mark.parametrize("meanwhile", ["scaled", "deleted"])
async def test_what_somebody_else_did_since_ends_the_wait(cart, meanwhile):
    """Another number, or no Deployment any more: nothing of ours is to return."""
    await cart.report(3)
    assert (await run(scale(replicas=5, wait=False, timeout=100), cart.context)).passed
    if meanwhile == "scaled":
        await cart.api.patch("deployments.apps", "cart", "default", {"spec": {"replicas": 7}})
    else:
        await cart.api.delete("deployments.apps", "cart", "default")
    assert await cart.undo() == []
    notes = [event.note for event in await cart.recorder.events() if isinstance(event, UndoDone)]
    assert (
        notes[-1]
        == {
            "scaled": "it is to have 7 replicas by now, not 3",
            "deleted": "somebody deleted it since",
        }[meanwhile]
    )


async def test_a_scaling_that_is_refused_leaves_nothing_to_wait_for(cart):
    """Another run is at work on the Deployment: nothing was changed, and nothing stays in the journal."""
    await cart.report(3)
    await cart.api.patch("deployments.apps", "cart", "default", {"metadata": {"labels": {"seatrial.io/run": "other"}}})
    with pytest.raises(ClusterError):
        await run(scale(replicas=5), cart.context)
    assert cart.context.journal.newer_than(0) == []


async def test_old_replicas_don_t_count(cart):
    """The status of an earlier generation, and replicas that are still to go, are not the state that was asked for."""
    await cart.report(1, replicas=3)
    outcome = await run(scale(replicas=1, timeout=0.2), cart.context)
    assert outcome.verdict is Verdict.FAILED


async def test_without_waiting_nothing_is_proven(cart):
    """`wait: false` passes at once and says that nobody saw it."""
    assert (await run(scale(replicas=5, wait=False), cart.context)).passed
    assert [event.reason for event in await cart.recorder.events() if isinstance(event, ProofMissing)] == [
        "wait: false, so nobody saw it scaled"
    ]


async def test_the_number_it_has_already_shows_nothing(cart):
    """Nothing is changed, and nothing written down."""
    outcome = await run(scale(replicas=3), cart.context)
    assert (outcome.verdict, outcome.reasons) == (
        Verdict.INCONCLUSIVE,
        ("Deployment default/cart has 3 replicas already",),
    )
    assert cart.context.journal.newer_than(0) == []


async def test_what_somebody_else_has_set_since_stays(cart):
    """Clean-up takes back our number, not theirs."""
    await cart.run(scale(replicas=5))
    await cart.api.patch("deployments.apps", "cart", "default", {"spec": {"replicas": 7}})
    assert await cart.undo() == []
    assert await cart.replicas() == 7


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"least_left": 2}, "minLeft: ReplicaSet/cart-1 in default would be left 1 Ready pod of 3, it must keep 2"),
        ({"most_pods": 1}, "maxPods: the step would hit 2 pods, at most 1 may be"),
        ({"protected": frozenset({"default"})}, "protectNamespaces: the namespace default is protected"),
    ],
)
async def test_guardrails_hold_for_the_pods_that_would_go(control, cart, limits, reason):
    """Scaling down by two is a loss of two pods, in the plan as in the run; up is none."""
    deployment = await cart.cluster.get(DEPLOYMENTS, "cart", namespace="default")
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": deployment["metadata"]["uid"]}
    meta = {"name": "cart-1", "labels": {"app": "cart"}, "ownerReferences": [{**owner, "controller": True}]}
    made = await cart.api.create(
        "replicasets.apps", {"metadata": meta, "spec": deployment["spec"] | {"strategy": None}}, "default"
    )
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-1", "uid": made["metadata"]["uid"]}
    await control.create_pods("a", "b", "c", owner=reference, app="cart")
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for name in "abc":
        await cart.api.patch("pods", name, "default", {"status": ready}, subresource="status")
    context = replace(cart.context, settings=Settings(guardrails=Guardrails(**limits)))
    reason = reason.replace("ReplicaSet/cart-1", "Deployment/cart")
    assert (await plan(scale(by=-2), context)).refused == (reason,)
    outcome = await run(scale(by=-2), context)
    assert outcome.reasons == (f"refused by a guardrail: {reason}",)
    assert await cart.replicas() == 3


async def test_a_plan_says_from_how_many_to_how_many_and_who_interferes(cart):
    """With the autoscaler that scales the same Deployment; nothing is changed."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}
    await cart.api.create(
        "horizontalpodautoscalers.autoscaling",
        {"metadata": {"name": "cart"}, "spec": {"maxReplicas": 9, "scaleTargetRef": target}},
        "default",
    )
    planned = await plan(scale(factor=0.5), cart.context)
    words = "scale Deployment default/cart from 3 to 1 (0.5 times 3, rounded down)"
    assert (planned.summary, planned.changes) == (words, (words,))
    assert planned.notes == (
        "HorizontalPodAutoscaler default/cart scales Deployment default/cart too, and may change it back",
    )
    assert await cart.replicas() == 3


async def test_a_plan_names_the_permissions_that_lack(cart, control):
    """Who may only look can't scale."""
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}]
    await cart.api.create("roles.rbac.authorization.k8s.io", {"metadata": {"name": "r"}, "rules": rules}, "default")
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "joe"}],
    }
    await cart.api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")
    async with await control.connect_as("joe") as cluster:
        planned = await plan(scale(by=1), replace(cart.context, cluster=cluster))
    assert planned.missing_permissions == ("patch deployments in default", "watch deployments in default")


BOATS = {
    "metadata": {"name": "boats.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Boat", "plural": "boats", "singular": "boat"},
        "scope": "Namespaced",
        "versions": [],
    },
}


async def make_boat(cart, replicas_path):
    """A custom resource that says where it keeps its number of replicas."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    scale = {"specReplicasPath": replicas_path, "statusReplicasPath": ".status.replicas"}
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": schema, "status": schema}}},
        "subresources": {"status": {}, "scale": scale},
    }  # fmt: skip
    body = {**BOATS, "spec": {**BOATS["spec"], "versions": [version]}}
    await cart.api.create("customresourcedefinitions.apiextensions.k8s.io", body)
    boat = {
        "apiVersion": "example.com/v1",
        "kind": "Boat",
        "metadata": {"name": "b"},
        "spec": {"replicas": 2, "oars": 4},
    }
    async with asyncio.timeout(30):
        while True:
            try:
                return await cart.cluster.create(await cart.cluster.resource_for("example.com/v1", "Boat"), boat)
            except SeatrialError:  # a kind is served a moment after its definition
                await asyncio.sleep(0.05)


BOAT = {"target": {"object": {"kind": "Boat", "apiVersion": "example.com/v1", "name": "b", "namespace": "default"}}}


async def test_any_kind_that_keeps_its_replicas_where_they_usually_are(cart):
    """Scaled and put back like a Deployment."""
    await make_boat(cart, ".spec.replicas")
    boats = await cart.cluster.resource_for("example.com/v1", "Boat")
    assert (await run(Scale.model_validate({**BOAT, "by": 3, "wait": False}), cart.context)).passed
    assert (await cart.cluster.get(boats, "b", namespace="default"))["spec"]["replicas"] == 5
    assert await cart.undo() == []
    assert (await cart.cluster.get(boats, "b", namespace="default"))["spec"]["replicas"] == 2


async def test_a_kind_that_keeps_them_elsewhere_is_not_touched(cart):
    """What could not be put back is not changed."""
    await make_boat(cart, ".spec.oars")
    with pytest.raises(ClusterError, match="keeps its number of replicas elsewhere"):
        await run(Scale.model_validate({**BOAT, "replicas": 3}), cart.context)
    assert cart.context.journal.newer_than(0) == []
