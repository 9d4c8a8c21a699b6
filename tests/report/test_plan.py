import io
import json
import shlex

import pytest
from msgspec.structs import replace
from rich.console import Console

from seatrial.report.plan import plan_as_json, print_plan, print_step
from seatrial.runtime.events import PodRef
from seatrial.runtime.plan import BudgetImpact, OwnerImpact, Plan, ScenarioPlan, StepPlan, WatchPlan

A = PodRef(namespace="shop", name="cart-a", uid="1", node="node1", owner="ReplicaSet/cart")
B = PodRef(namespace="shop", name="cart-b", uid="2", owner="ReplicaSet/cart")


def plan(*steps, **given):
    scenarios = (ScenarioPlan(name="Kill", steps=tuple(("podAction", step) for step in steps)),) if steps else ()
    return Plan(**{"policy": "p.yml", "seed": "7", "server": "https://k:6443", "scenarios": scenarios, **given})


def shown(made, *, width=200, terminal=False, colours=True, **options):
    stream = io.StringIO()
    color = "standard" if terminal and colours else None
    print_plan(made, Console(file=stream, width=width, force_terminal=terminal, color_system=color), **options)
    return stream.getvalue()


def rows(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_it_says_who_is_hit_and_what_is_left():
    """Victims with their nodes, what only looks on, and what each owner keeps."""
    owner = OwnerImpact(owner="ReplicaSet/cart", namespace="shop", ready=3, hit=1, ready_hit=1)
    step = StepPlan(summary="kill (force)", matched=3, notes=("half",), targets=(A, B), victims=(A,), owners=(owner,))
    assert rows(shown(plan(step)))[:8] == [
        "plan of p.yml on https://k:6443, seed 7",
        "",
        "Kill",
        "1/1 podAction: kill (force)",
        "matched 3 pods, 2 chosen",
        "half",
        "would hit shop/cart-a on node1",
        "would see shop/cart-b on no node",
    ]
    assert "leaves ReplicaSet/cart in shop: 2 of 3 Ready pods until it replaces 1" in rows(shown(plan(step)))
    step = StepPlan(summary="partition", owners=(replace(owner, replaced=False),))
    assert "leaves ReplicaSet/cart in shop: 2 of 3 Ready pods until clean-up" in rows(shown(plan(step)))


def test_it_says_what_speaks_against_it():
    """A budget that breaks, a pod that nothing replaces, a permission that lacks."""
    budgets = (
        BudgetImpact(budget="cart", namespace="shop", allowed=0, hit=1),
        BudgetImpact(budget="loose", namespace="shop", allowed=5, hit=1),
    )
    step = StepPlan(summary="kill", unowned=(A,), budgets=budgets, missing_permissions=("delete pods in shop",))
    assert rows(shown(plan(step)))[4:8] == [
        "for good shop/cart-a has no controller: nothing replaces it",
        "BREAKS PodDisruptionBudget shop/cart allows 0, this makes 1",
        "keeps PodDisruptionBudget shop/loose allows 5, this makes 1",
        "FORBIDDEN you may not delete pods in shop",
    ]


def test_it_says_what_else_would_change_and_what_would_be_refused():
    """Nodes, changes beside pods, guardrails that would hold, and a step that can't be planned yet."""
    step = StepPlan(
        summary="stop",
        nodes=("node1",),
        changes=("stop machine m-1",),
        refused=("maxNodes: the step would hit 1 node, at most 0 may be",),
        unknown="it isn't there yet",
    )
    assert rows(shown(plan(step)))[4:8] == [
        "node node1",
        "changes stop machine m-1",
        "REFUSED maxNodes: the step would hit 1 node, at most 0 may be",
        "UNKNOWN it isn't there yet",
    ]


def test_it_says_what_is_watched_beside_the_steps():
    """Observers, the steady state and what ends the experiment stand before the first step, a line each."""
    watches = (
        WatchPlan(key="observe", summary="goldpinger: the graph"),
        WatchPlan(key="steadyState", summary="probeTCP: web:80", missing_permissions=("get services",)),
        WatchPlan(key="abortWhen", summary="probeDNS: web", unknown="no such Service"),
    )
    scenario = ScenarioPlan(name="Kill", steps=(("wait", StepPlan(summary="pause")),), watches=watches)
    made = plan(scenarios=(scenario,))
    assert rows(shown(made))[2:9] == [
        "Kill",
        "observes goldpinger: the graph",
        "steady probeTCP: web:80",
        "FORBIDDEN you may not get services",
        "aborts probeDNS: web",
        "UNKNOWN no such Service",
        "1/1 wait: pause",
    ]
    assert not made.allowed
    assert json.loads(plan_as_json(made))["scenarios"][0]["watches"][0]["key"] == "observe"


def test_what_would_be_refused_is_not_offered_as_a_plan_to_carry_out():
    """The last lines say whether the run would do all of this."""
    refused = shown(plan(StepPlan(summary="kill", refused=("maxPods: too many",))))
    assert "what is marked above would be refused" in refused
    assert "exactly this" not in refused
    assert "To carry out exactly this" in shown(plan(StepPlan(summary="kill")))


@pytest.mark.parametrize(
    ("policy", "arguments", "seed"),
    [
        ("p.yml", [], "7"),
        ("my policy.yml", ["--context", "staging"], "7"),
        ("p.yml", ["--kubeconfig", "/tmp/a b", "--context", "it's; rm -rf ~"], "$(date)"),
    ],
)
def test_the_command_at_its_end_does_exactly_this(policy, arguments, seed):
    """A shell that reads the line gets the policy, the cluster and the seed as they were given, on one line."""
    text = shown(plan(policy=policy, seed=seed), width=30, arguments=arguments)
    command = text.rstrip("\n").rpartition("\n")[2]
    assert shlex.split(command) == [
        "seatrial", "autonomous", "--policy-file", policy, *arguments, "--seed", seed,
    ]  # fmt: skip


def test_names_can_t_act_on_the_terminal():
    """Control characters in the policy's, a scenario's or a server's name are seen, not done."""
    evil = "\x1b[2J\x07evil"
    step = StepPlan(summary=evil, matched=1, notes=(evil,), missing_permissions=(evil,))
    made = Plan(policy=evil, seed=evil, server=evil, scenarios=(ScenarioPlan(name=evil, steps=((evil, step),)),))
    text = shown(made, arguments=["--context", evil])
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.count("evil") >= 9


def test_a_policy_without_scenarios_says_so():
    """Nothing would be hit, and the reader learns why."""
    assert "the policy has no scenarios" in shown(plan())


def test_it_fits_a_terminal_but_for_the_command():
    """Long names wrap inside their column; what a program reads has each on one line, and no blanks at its end."""
    pod = PodRef(namespace="n" * 60, name="p" * 60, uid="1", node="node" * 10)
    made = plan(StepPlan(summary="kill", matched=1, targets=(pod,), victims=(pod,)))
    lines = shown(made, width=80, terminal=True, colours=False).splitlines()
    assert max(len(line) for line in lines[:-1]) <= 80
    lines = shown(made, width=80).splitlines()
    assert f"   would hit  {pod} on {pod.node}" in lines
    assert [line.rstrip() for line in lines] == lines


def test_colours_are_for_terminals_only():
    """Elsewhere there is not one escape sequence."""
    step = StepPlan(summary="kill", missing_permissions=("delete pods",))
    assert "\x1b[" not in shown(plan(step))
    assert "\x1b[" in shown(plan(step), terminal=True)


def test_as_json_it_has_the_same():
    """Everything in it, each step with its key."""
    made = json.loads(plan_as_json(plan(StepPlan(summary="kill", matched=1, targets=(A,), victims=(A,)))))
    assert (made["policy"], made["seed"], made["server"]) == ("p.yml", "7", "https://k:6443")
    [step] = made["scenarios"][0]["steps"]
    assert (step["key"], step["summary"], step["victims"][0]["name"]) == ("podAction", "kill", "cart-a")
    assert (made["format"], made["allowed"]) == ("seatrial.io/plan/v1", True)


def test_as_json_it_has_what_is_worked_out_as_well():
    """What an owner keeps, whether a budget breaks, whether anything stands against it."""
    owner = OwnerImpact(owner="Deployment/cart", namespace="shop", ready=3, hit=2, ready_hit=1)
    budget = BudgetImpact(budget="cart", namespace="shop", allowed=0, hit=1)
    step = StepPlan(summary="kill", owners=(owner,), budgets=(budget,), missing_permissions=("delete pods",))
    made = json.loads(plan_as_json(plan(step)))
    [step] = made["scenarios"][0]["steps"]
    assert (step["owners"][0]["left"], step["budgets"][0]["broken"], made["allowed"]) == (2, True, False)


def step_shown(step, **options):
    stream = io.StringIO()
    print_step("kill them", step, Console(file=stream, width=80), **options)
    return rows(stream.getvalue())


def pods(count):
    return tuple(PodRef(namespace="shop", name=f"cart-{number}", uid=str(number), node="n") for number in range(count))


def test_a_step_of_its_own_has_a_title_and_no_number_of_matches():
    """What was chosen stands in its title: only where fewer are left than matched, that is said."""
    step = StepPlan(summary="kill", matched=2, targets=(A, B), victims=(A, B))
    assert step_shown(step) == ["would kill them", "would hit shop/cart-a on node1", "would hit shop/cart-b on no node"]
    assert "matched 3 pods, 2 chosen" in step_shown(replace(step, matched=3))
    assert "matched 0 pods, 0 chosen" in step_shown(StepPlan(summary="kill", matched=0))


def test_a_step_that_changes_nothing_is_summed_up():
    """Below its title stands what it does."""
    assert step_shown(StepPlan(summary="GET http://x/, expecting 200")) == [
        "would kill them",
        "GET http://x/, expecting 200",
    ]


@pytest.mark.parametrize(
    ("count", "named", "rest"), [(3, 3, ""), (4, 4, ""), (5, 3, "and 2 more"), (90, 3, "and 87 more")]
)
def test_of_many_a_few_are_named(count, named, rest):
    """At most so many of each kind, and how many more; "and 1 more" would take as much room as that one."""
    step = StepPlan(summary="kill", victims=pods(count), targets=pods(count), nodes=("n1", "n2"))
    lines = step_shown(step, most=3, rest=": look there")
    assert sum(line.startswith("would hit") for line in lines) == named
    assert [line for line in lines if "more" in line] == ([f"{rest}: look there"] if rest else [])
    assert sum(line.startswith("node") for line in lines) == 2


def test_a_plan_advises_nobody_who_is_asked_anyway():
    """Who confirms it next needs no command."""
    assert "seatrial" not in shown(plan(StepPlan(summary="wait")), advises=False)
