"""What a preview means: whether there is anything to do, what stands against it, whether it still holds."""

import pytest
from msgspec.structs import replace

from seatrial.by_hand.previews import changes_since, hits_nothing, obstacle_to, what_allows
from seatrial.runtime.events import PodRef
from seatrial.runtime.plan import BudgetImpact, OwnerImpact, StepPlan

A = PodRef(namespace="shop", name="cart-a", uid="1", node="node1")
B = PodRef(namespace="shop", name="cart-b", uid="2", node="node2")
OWNER = OwnerImpact(owner="Deployment/cart", namespace="shop", ready=3, hit=1, ready_hit=1)
BUDGET = BudgetImpact(budget="cart", namespace="shop", allowed=1, hit=1)
PLAN = StepPlan(summary="kill", matched=1, targets=(A,), victims=(A,), owners=(OWNER,), budgets=(BUDGET,))


@pytest.mark.parametrize("given", [{"victims": (A,)}, {"nodes": ("node1",)}, {"changes": ("scale it",)}])
def test_whoever_hits_or_changes_something_does_something(given):
    """A pod, a node, or anything else."""
    assert not hits_nothing(StepPlan(summary="x", **given))


def test_to_look_is_not_to_hit():
    """Targets that are only seen, and notes, are nothing to confirm; what changes nothing anyway needs no victim."""
    plan = StepPlan(summary="x", matched=2, targets=(A, B), notes=("none of them",))
    assert hits_nothing(plan)
    assert hits_nothing(StepPlan(summary="x", kind="node", matched=1, nodes=("node1",), notes=("it is UP",)))
    assert obstacle_to(plan, is_destructive=True) == "nothing to do"
    assert obstacle_to(plan, is_destructive=False) == ""


@pytest.mark.parametrize(
    ("given", "obstacle"),
    [
        (
            {"unknown": "there is no such Deployment"},
            "it can't be told what would be hit (there is no such Deployment)",
        ),
        ({"refused": ("maxPods: too many",)}, "refused"),
        ({"missing_permissions": ("delete pods in shop",)}, "a permission is missing"),
        ({}, ""),
    ],
)
def test_what_stands_against_it(given, obstacle):
    """Not to know, a guardrail, a permission."""
    assert obstacle_to(replace(PLAN, **given), is_destructive=True) == obstacle


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ((), ""),
        (("no cloud driver",), ""),
        (("maxPods: too many",), "what allows it: Seatrial started with another --max-pods"),
        (("keepEtcdQuorum: 1 of 3",), "what allows it: Seatrial started with --no-keep-etcd-quorum"),
        (
            ("minLeft: 0 of 1", "minLeft: 0 of 2", "respectPdb: 0 allowed"),
            "what allows it: Seatrial started with a smaller --min-left and no --respect-pdb",
        ),
    ],
)
def test_each_guardrail_has_its_flag(reasons, words):
    """Said once each; what no flag allows has none."""
    assert what_allows(replace(PLAN, refused=reasons)) == words


def test_every_guardrail_of_the_language_has_its_flag():
    """One that comes in addition has to say what allows it, too."""
    from seatrial.policy.models import Guardrails

    for name, field in Guardrails.model_fields.items():
        assert what_allows(replace(PLAN, refused=(f"{field.alias or name}: why",))), name


@pytest.mark.parametrize(
    ("given", "change"),
    [
        ({"victims": (replace(A, uid="3"),)}, "it would hit something else"),
        ({"victims": (A, B)}, "it would hit something else"),
        ({"nodes": ("node1",)}, "it would hit something else"),
        ({"changes": ("scale it",)}, "it would hit something else"),
        ({"owners": (replace(OWNER, ready=2),)}, "Deployment/cart in shop would have fewer pods left"),
        ({"budgets": (replace(BUDGET, allowed=0),)}, "PodDisruptionBudget shop/cart would break"),
        ({"refused": ("minLeft: 0 of 1",)}, "it would be held back"),
        ({"missing_permissions": ("delete pods",)}, "it would be held back"),
    ],
)
def test_who_agreed_is_asked_again_where_it_is_another_thing_or_worse(given, change):
    """Other pods, fewer left, a budget that breaks, something against it."""
    assert list(changes_since(PLAN, replace(PLAN, **given))) == [change]


@pytest.mark.parametrize(
    "given",
    [
        {"victims": (replace(A, node="node7"),)},
        {"owners": (replace(OWNER, ready=5),)},
        {"budgets": (replace(BUDGET, allowed=2),)},
        {"notes": ("something to know",)},
    ],
)
def test_what_is_no_worse_is_not_asked_for_again(given):
    """The same pod on a node by now, more pods left, more disruptions allowed."""
    assert list(changes_since(PLAN, replace(PLAN, **given))) == []


def test_pods_come_and_go_on_nodes_that_were_chosen():
    """On a busy cluster nobody could ever agree otherwise; nodes that weren't shown are another thing."""
    shown = replace(PLAN, kind="node", nodes=("node1",))
    assert list(changes_since(shown, replace(shown, victims=(B,)))) == []
    assert list(changes_since(shown, replace(shown, nodes=("node1", "node2")))) == ["it would hit something else"]


def test_a_budget_that_was_shown_to_break_may_break():
    """Who agreed to it isn't asked again."""
    broken = replace(PLAN, budgets=(replace(BUDGET, allowed=0),))
    assert list(changes_since(broken, broken)) == []
