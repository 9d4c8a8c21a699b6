"""The steps that a policy can name, and the model of a whole policy made of them.

Others add steps with an entry point in the group `seatrial.steps`; the built-in ones are there too.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from copy import copy
from functools import cache
from typing import Any, TypeVar

from pydantic import create_model

from seatrial.policy.base import Model, one_key
from seatrial.policy.extensions import load_extensions
from seatrial.policy.models import AbortCondition, Config, Policy, RunStrategy, Scenario, SteadyState
from seatrial.policy.scalars import FilledItems, Items
from seatrial.probes.registry import observer_types
from seatrial.steps.step_type import StepType

STEPS = "seatrial.steps"

M = TypeVar("M", bound=Model)


@cache
def step_types() -> Mapping[str, StepType]:
    """All steps by their key; asking for one that can't be loaded raises `UsageError`."""
    return load_extensions(STEPS, StepType)


@cache
def policy_model() -> type[Policy]:
    """The model of a whole policy file, with every installed step."""
    return _model_with({*step_types(), *observer_types()}, config=_config_with_failures())


def model_for(document: Any) -> type[Policy]:
    """The same for what stands in one file: only the steps and observers that it names are loaded.

    Loading all of them takes longer than a small experiment. Of the others only the names are known, which is enough to
    tell what is no step.
    """
    named = frozenset(_names_in(document))
    if _NEEDS_ALL & named:
        return policy_model()
    return _model_with(named, config=_config_with_failures() if _names_failures(document) else Config)


# What may stand in these are the steps that change nothing, which only those that are loaded can tell.
_NEEDS_ALL = frozenset({"steadyState", "abortWhen"})


def _model_with(named: AbstractSet[str], *, config: type[Config]) -> type[Policy]:
    steps, observers = step_types(), observer_types()
    models = {key: steps[key].model if key in named else Any for key in steps}
    step = one_key("Step", models, doc="One thing that a scenario does.")
    seen = {key: observers[key].model if key in named else Any for key in observers}
    observer = one_key("Observer", seen, doc="Watches something through the scenario.")
    looks = {key: steps[key].model for key in steps if key in named and steps[key].changes_nothing}
    probe = one_key("Probe", looks, doc="Looks at something and changes nothing.")
    steady = _refine(SteadyState, probes=FilledItems[probe])  # type: ignore[valid-type] # made above
    abort = _refine(AbortCondition, probe=probe)
    scenario = _refine(
        Scenario,
        steps=Items[step],  # type: ignore[valid-type] # made above
        observe=Items[observer],  # type: ignore[valid-type] # made above
        steady_state=steady | None,
        abort_when=Items[abort],  # type: ignore[valid-type] # made above
    )
    return _refine(Policy, config=config, scenarios=Items[scenario])  # type: ignore[valid-type] # made above


def _config_with_failures() -> type[Config]:
    """With the matchers that say what fails, which take a while to load."""
    from seatrial.policy.failures import Failure  # noqa: PLC0415 -- few policies name failures
    from seatrial.targets.node_selection import NodeTargetMatcher  # noqa: PLC0415 -- likewise
    from seatrial.targets.pods import PodMatcher  # noqa: PLC0415 -- likewise

    failure = _refine(Failure, nodes=FilledItems[NodeTargetMatcher] | None, pods=FilledItems[PodMatcher] | None)
    strategy = _refine(RunStrategy, failures=Items[failure])  # type: ignore[valid-type] # made above
    return _refine(Config, run_strategy=strategy)


def _names_failures(document: Any) -> bool:
    config = document.get("config") if isinstance(document, dict) else None
    strategy = config.get("runStrategy") if isinstance(config, dict) else None
    return isinstance(strategy, dict) and "failures" in strategy


def _names_in(document: Any) -> Iterator[str]:
    """The keys of a file's scenarios, and those of the items of their lists."""
    scenarios = document.get("scenarios") if isinstance(document, dict) else None
    for scenario in scenarios if isinstance(scenarios, list) else ():
        if isinstance(scenario, dict):
            yield from scenario
            lists = [each for each in scenario.values() if isinstance(each, list)]
            yield from (key for items in lists for item in items if isinstance(item, dict) for key in item)


def _refine(model: type[M], **annotations: Any) -> type[M]:
    """Give fields narrower types and keep everything else: name, defaults, documentation, rules."""
    fields: dict[str, Any] = {}
    for name, kind in annotations.items():
        field = copy(model.model_fields[name])
        if isinstance(field.default, Model):
            field.default = kind()
        fields[name] = (kind, field)
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, __module__=__name__, **fields)
