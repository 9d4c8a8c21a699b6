"""What a step would do, as data: shown by `seatrial plan`, and the same choice that a run with that seed makes."""

from typing import Any, Literal

import msgspec

from seatrial.runtime.events import PodRef


class OwnerImpact(msgspec.Struct, frozen=True, kw_only=True):
    """How a step changes one owner: how many Ready pods it has, how many pods are hit, how many of those are Ready.

    Pods that are not `replaced` are the same ones after clean-up.
    """

    owner: str
    namespace: str
    ready: int
    hit: int
    ready_hit: int
    replaced: bool = True

    @property
    def left(self) -> int:
        """How many Ready pods the owner has left."""
        return self.ready - self.ready_hit


class BudgetImpact(msgspec.Struct, frozen=True, kw_only=True):
    """What a step means to a PodDisruptionBudget: how many disruptions it allows, how many the step makes."""

    budget: str
    namespace: str
    allowed: int
    hit: int

    @property
    def broken(self) -> bool:
        """Whether the step disrupts more pods than the budget allows."""
        return self.hit > self.allowed


class ActionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one action of a step adds to the step's plan, beside its victims; the fields mean what they do there."""

    notes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    missing_permissions: tuple[str, ...] = ()


class StepPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one step would do to the cluster as it is.

    `matched` is None for a step that chooses no targets; `kind` is what it counts. `victims` are the pods that would be
    disrupted; `targets` all those that the step's actions see. `unowned` are victims that no controller
    replaces. `changes` says what else the step would change, one sentence each ("create Deployment shop/cart-chaos",
    "stop machine node-2"), `refused` why guardrails would not let it, `nodes` which nodes it acts on.
    `unknown` says why it can't be told what the step would do, as where it acts on what an earlier step has yet to
    create.
    """

    summary: str
    matched: int | None = None
    kind: Literal["pod", "node"] = "pod"
    notes: tuple[str, ...] = ()
    targets: tuple[PodRef, ...] = ()
    victims: tuple[PodRef, ...] = ()
    owners: tuple[OwnerImpact, ...] = ()
    unowned: tuple[PodRef, ...] = ()
    budgets: tuple[BudgetImpact, ...] = ()
    changes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    missing_permissions: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def allowed(self) -> bool:
        """Whether neither a guardrail nor a missing permission would stop it."""
        return not (self.refused or self.missing_permissions)


class WatchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What would be watched beside a scenario's steps, in one sentence; `key` is the policy's.

    `missing_permissions` and `unknown` mean what they do for a step.
    """

    key: Literal["observe", "steadyState", "abortWhen"]
    summary: str
    missing_permissions: tuple[str, ...] = ()
    unknown: str = ""


class ScenarioPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one scenario would do; a step's place is its index, its key the policy's."""

    name: str
    steps: tuple[tuple[str, StepPlan], ...] = ()
    watches: tuple[WatchPlan, ...] = ()


class FailureRate(msgspec.Struct, frozen=True, kw_only=True):
    """How often something would fail: in a day of the cluster's life, and in seconds of the run between two failures.

    `mean_seconds_between` is None where there is nothing that could fail, and `note` says why.
    """

    scenario: str
    kind: Literal["node", "pod"]
    mttf: str
    units: int
    per_day: float
    mean_seconds_between: float | None
    note: str = ""


class PlannedFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One of the first failures: after how much of the cluster's life and how many seconds of waiting, and of what."""

    scenario: str
    kind: Literal["node", "pod"]
    units: tuple[str, ...]
    zone: str
    life_seconds: float
    waiting_seconds: float


class FailuresPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What would fail of itself in a run with this seed, if all stay that are there."""

    accelerate: float
    rates: tuple[FailureRate, ...]
    first: tuple[PlannedFailure, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the first round of a run with this seed would do; `digest` tells policies apart by what they say.

    With the run strategy `failures`, the scenarios are those of the first failures, each with the first of its own.
    """

    policy: str
    digest: str = ""
    seed: str
    server: str
    scenarios: tuple[ScenarioPlan, ...] = ()
    failures: FailuresPlan | None = None

    @property
    def allowed(self) -> bool:
        """Whether neither a guardrail nor a missing permission would stop a step of it, or blind what it watches."""
        return all(
            all(step.allowed for _, step in scenario.steps)
            and not any(watch.missing_permissions for watch in scenario.watches)
            for scenario in self.scenarios
        )


FORMAT = "seatrial.io/plan/v1"
"""What the JSON of a plan says of itself; it changes with what the keys mean, not with keys that come in addition."""


def plan_as_data(plan: Plan) -> dict[str, Any]:
    """A plan as plain data, for JSON; what is worked out from other fields (`left`, `broken`, `allowed`) is in it."""
    described = msgspec.to_builtins(plan)
    for scenario, made in zip(described["scenarios"], plan.scenarios, strict=True):
        scenario["steps"] = [_step_as_data(key, step) for key, step in made.steps]
    return {"format": FORMAT, **described, "allowed": plan.allowed}


def _step_as_data(key: str, step: StepPlan) -> dict[str, Any]:
    described = msgspec.to_builtins(step)
    for each, owner in zip(described["owners"], step.owners, strict=True):
        each["left"] = owner.left
    for each, budget in zip(described["budgets"], step.budgets, strict=True):
        each["broken"] = budget.broken
    return {"key": key, **described}
