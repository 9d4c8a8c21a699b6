import json

import pytest
from msgspec.structs import replace

from seatrial.engine.saved_plan import drift, hold_to, read_plan
from seatrial.errors import ClusterError, ConfigurationError
from seatrial.runtime.events import PodRef
from seatrial.runtime.plan import (
    BudgetImpact,
    FailuresPlan,
    OwnerImpact,
    Plan,
    PlannedFailure,
    ScenarioPlan,
    StepPlan,
    plan_as_data,
)

A = PodRef(namespace="shop", name="cart-a", uid="1", node="n", owner="ReplicaSet/cart")
B = PodRef(namespace="shop", name="cart-b", uid="2", node="n", owner="ReplicaSet/cart")
OWNER = OwnerImpact(owner="Deployment/cart", namespace="shop", ready=3, hit=1, ready_hit=1)
BUDGET = BudgetImpact(budget="cart", namespace="shop", allowed=1, hit=1)
STEP = StepPlan(summary="kill", matched=2, targets=(A,), victims=(A,), owners=(OWNER,), budgets=(BUDGET,))


def failures(*units):
    first = [
        PlannedFailure(scenario="Kill", kind="node", units=(unit,), zone="", life_seconds=9.0, waiting_seconds=1.0)
        for unit in units
    ]
    return FailuresPlan(accelerate=9.0, rates=(), first=tuple(first))


def plan(step=STEP, **given):
    scenarios = (ScenarioPlan(name="Kill", steps=(("podAction", step),)),)
    return Plan(**{"policy": "p.yml", "digest": "d", "seed": "7", "server": "s", "scenarios": scenarios, **given})


@pytest.fixture
def saved(tmp_path):
    """Saves a plan and reads it again."""

    def of(made):
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan_as_data(made)))
        return read_plan(path)

    return of


def test_the_same_plan_holds(saved):
    """What was saved and what is worked out now agree in everything that is compared."""
    assert list(drift(saved(plan()), plan())) == []
    hold_to(saved(plan()), plan())


def test_failures_that_come_of_themselves_must_be_the_same(saved):
    """A node more or less, and others fail first: the plan no longer holds."""
    before = saved(plan(failures=failures("a", "b")))
    assert list(drift(before, plan(failures=failures("a", "b")))) == []
    assert list(drift(before, plan(failures=failures("c", "a")))) == ["what fails first is c, then a, not a, then b"]
    assert list(drift(before, plan(failures=failures()))) == ["what fails first is nothing, not a, then b"]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (plan(digest="e"), ["the policy says something else than when it was made"]),
        (plan(seed="8"), ["the seed is 8, not 7"]),
        (plan(server="t"), ["the cluster is t, not s"]),
        (plan(scenarios=()), ["the plan does not have the policy's scenarios and steps: somebody has edited it"]),
        (
            plan(replace(STEP, targets=(B,), victims=(B,))),
            ["Kill, step 1 would hit pod shop/cart-b as well", "Kill, step 1 no longer would hit pod shop/cart-a"],
        ),
        (
            plan(replace(STEP, owners=(replace(OWNER, ready=2),))),
            ["Kill, step 1 finds that Deployment/cart in shop would keep 1 of 2 Ready pods, not 2 of 3 Ready pods"],
        ),
        (
            plan(replace(STEP, budgets=(replace(BUDGET, allowed=0),))),
            ["Kill, step 1 finds that PodDisruptionBudget shop/cart allows 0 for 1, not 1 for 1"],
        ),
        (plan(replace(STEP, nodes=("n1",))), ["Kill, step 1 would act on node n1 as well"]),
        (plan(replace(STEP, changes=("scale x",))), ["Kill, step 1 would scale x as well"]),
        (plan(replace(STEP, refused=("maxPods: no",))), ["Kill, step 1 would be refused: maxPods: no as well"]),
        (
            plan(replace(STEP, missing_permissions=("delete pods",))),
            ["Kill, step 1 would not be allowed to delete pods as well"],
        ),
        (plan(replace(STEP, unknown="it is gone")), ["Kill, step 1 can't be planned: it is gone"]),
    ],
)
def test_what_has_changed_is_said(saved, now, words):
    """Each difference in a sentence; a plan for something else altogether in one."""
    assert list(drift(saved(plan()), now)) == words
    with pytest.raises(ClusterError, match="the plan no longer holds"):
        hold_to(saved(plan()), now)


def test_a_pod_of_the_same_name_is_another_pod(saved):
    """Pods are told apart by their UID: one that was replaced under its name is drift."""
    again = replace(A, uid="9")
    assert len(list(drift(saved(plan()), plan(replace(STEP, targets=(again,), victims=(again,)))))) == 2


def test_a_pod_that_only_looks_on_counts_too(saved):
    """Chosen, and spared by the dice: another one would be another experiment."""
    assert list(drift(saved(plan()), plan(replace(STEP, targets=(A, B))))) == [
        "Kill, step 1 would choose pod shop/cart-b as well"
    ]


def test_notes_and_words_may_change(saved):
    """How a step is described, and how many pods matched before it chose, is no drift."""
    assert list(drift(saved(plan()), plan(replace(STEP, summary="other", notes=("x",), matched=9)))) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no plan"),
        ("nonsense", "is no plan"),
        ("[]", "is no plan"),
        ("{}", "is no plan; needed is seatrial.io/plan/v1"),
        ('{"format": "seatrial.io/plan/v2"}', "has the format 'seatrial.io/plan/v2'"),
        ('{"format": "seatrial.io/plan/v1"}', "is no plan: Object missing required field"),
        ("[" * 100_000, "is no plan"),
    ],
)
def test_a_file_that_is_no_plan_is_said(tmp_path, text, words):
    """One line, and how to save one."""
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="plan") as raised:
        read_plan(path)
    assert words in raised.value.message
    with pytest.raises(ConfigurationError, match="can't read the plan"):
        read_plan(tmp_path / "missing")
