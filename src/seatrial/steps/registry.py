"""The steps that a policy can name, and the model of a whole policy made of them.

Others add steps with an entry point in the group `seatrial.steps`; the built-in ones are there too.
"""

from copy import copy
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import create_model

from seatrial.policy.base import Model, OneKey, one_key
from seatrial.policy.extensions import Extensions
from seatrial.policy.key_tables import KeyTable
from seatrial.policy.late_models import LateModel
from seatrial.policy.models import AbortCondition, Config, Policy, RunStrategy, Scenario, SteadyState
from seatrial.policy.scalars import FilledItems, Items
from seatrial.probes.registry import observer_types
from seatrial.steps.step_type import StepType

STEPS = "seatrial.steps"

M = TypeVar("M", bound=Model)


@cache
def step_types() -> Extensions[StepType]:
    """All steps by their key; asking for one that can't be loaded raises `UsageError`."""
    return Extensions(STEPS, StepType)


@cache
def policy_model() -> type[Policy]:
    """The model of a whole policy file, with every installed step; what a file doesn't name is never loaded."""
    step = KeyTable("Step", step_types(), lambda each: each.model, doc="One thing that a scenario does.")
    observer = KeyTable(
        "Observer", observer_types(), lambda each: each.model, doc="Watches something through the scenario."
    )
    scenario = _refine(
        Scenario,
        steps=Items[Annotated[Any, step]],
        observe=Items[Annotated[Any, observer]],
        steady_state=Annotated[Any, LateModel(_steady_state)] | None,
        abort_when=Items[Annotated[Any, LateModel(_abort_condition)]],
        objectives=Items[Annotated[Any, LateModel.at("seatrial.policy.objectives:Objective")]],
    )
    strategy = _refine(RunStrategy, failures=Items[Annotated[Any, LateModel(_failure)]])
    schedule = Annotated[Any, LateModel.at("seatrial.policy.schedule:Schedule")]
    notification = Annotated[Any, LateModel.at("seatrial.policy.notifications:Notification")]
    config = _refine(Config, run_strategy=strategy, schedule=schedule | None, notify=Items[notification])
    return _refine(Policy, config=config, scenarios=Items[scenario])  # type: ignore[valid-type] # made above


@cache
def _probe() -> type[OneKey]:
    """The steps that change nothing, which only those that are loaded can tell."""
    steps = step_types()
    looks = {key: steps[key].model for key in steps if steps[key].changes_nothing}
    return one_key("Probe", looks, doc="Looks at something and changes nothing.")


def _steady_state() -> type[SteadyState]:
    return _refine(SteadyState, probes=FilledItems[_probe()])  # type: ignore[misc] # made above


def _abort_condition() -> type[AbortCondition]:
    return _refine(AbortCondition, probe=_probe())


def _failure() -> type[Model]:
    """With the matchers that say what fails."""
    from seatrial.policy.failures import Failure  # noqa: PLC0415 -- few policies name failures
    from seatrial.targets.node_selection import NodeTargetMatcher  # noqa: PLC0415 -- likewise
    from seatrial.targets.pods import PodMatcher  # noqa: PLC0415 -- likewise

    return _refine(Failure, nodes=FilledItems[NodeTargetMatcher] | None, pods=FilledItems[PodMatcher] | None)


def _refine(model: type[M], **annotations: Any) -> type[M]:
    """Give fields narrower types and keep everything else: name, defaults, documentation, rules."""
    fields: dict[str, Any] = {}
    for name, kind in annotations.items():
        field = copy(model.model_fields[name])
        if isinstance(field.default, Model):
            field.default = kind()
        fields[name] = (kind, field)
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, __module__=__name__, **fields)
