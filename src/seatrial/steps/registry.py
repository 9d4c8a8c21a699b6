"""The steps that a policy can name, and the model of a whole policy made of them.

Others add steps with an entry point in the group `seatrial.steps`; the built-in ones are there too.
"""

from copy import copy
from functools import cache
from typing import Any, TypeVar

from pydantic import create_model

from seatrial.policy.base import Model, one_key
from seatrial.policy.extensions import load_extensions
from seatrial.policy.models import Policy, Scenario
from seatrial.policy.scalars import Items
from seatrial.probes.registry import observer_types
from seatrial.steps.step_type import StepType

STEPS = "seatrial.steps"

M = TypeVar("M", bound=Model)


@cache
def step_types() -> dict[str, StepType]:
    """All steps by their key; raises `UsageError` for one that can't be loaded."""
    return load_extensions(STEPS, StepType)


@cache
def policy_model() -> type[Policy]:
    """The model of a whole policy file, with every installed step."""
    models = {key: step.model for key, step in step_types().items()}
    step = one_key("Step", models, doc="One thing that a scenario does.")
    observers = {key: observer.model for key, observer in observer_types().items()}
    observer = one_key("Observer", observers, doc="Watches something through the scenario.")
    scenario = _refine(Scenario, steps=Items[step], observe=Items[observer])  # type: ignore[valid-type] # made above
    return _refine(Policy, scenarios=Items[scenario])  # type: ignore[valid-type] # made above


def _refine(model: type[M], **annotations: Any) -> type[M]:
    """Give fields narrower types and keep everything else: name, defaults, documentation, rules."""
    fields: dict[str, Any] = {name: (kind, copy(model.model_fields[name])) for name, kind in annotations.items()}
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, __module__=__name__, **fields)
