"""The mutation `environment`: a variable is set, or replaced, in every container of the original."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from seatrial.policy.base import Model


class Environment(Model):
    """Set an environment variable in every container, init containers included, or replace it where it is set."""

    name: Annotated[str, Field(pattern="^[^=]+$")]
    """The variable's name."""

    value: str
    """The variable's value."""


def set_variable(spec: Environment, container: Mapping[str, Any]) -> dict[str, Any]:
    """The container with the variable; one that it has keeps its place, since later ones may refer to it."""
    wanted = {"name": spec.name, "value": spec.value}
    kept, placed = [], False
    for variable in container.get("env") or ():
        if variable.get("name") != spec.name:
            kept.append(variable)
        elif not placed:
            kept.append(wanted)
            placed = True
    return {**container, "env": kept if placed else [*kept, wanted]}
