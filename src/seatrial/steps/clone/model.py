"""What a policy says of a clone: PowerfulSeal's fields and defaults, with the mutations that there are."""

from typing import Annotated

from pydantic import Field

from seatrial.policy.base import Model, OneKey, option
from seatrial.policy.scalars import Integer, Items
from seatrial.steps.clone.mutations.environment import Environment
from seatrial.steps.clone.mutations.tc import TrafficControl
from seatrial.steps.clone.mutations.toxiproxy import Toxiproxy

_LABEL_NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


class DeploymentRef(Model):
    """A Deployment."""

    name: Annotated[str, Field(min_length=1)]
    """The Deployment's name."""

    namespace: Annotated[str, Field(min_length=1)]
    """The Deployment's namespace."""


class ServiceRef(Model):
    """A Service."""

    name: Annotated[str, Field(min_length=1)]
    """The Service's name."""

    namespace: Annotated[str, Field(min_length=1)]
    """The Service's namespace."""


class CloneSource(OneKey):
    """What is copied."""

    deployment: DeploymentRef = option()
    """A Deployment."""


class Label(Model):
    """A label of the copy's pods."""

    key: Annotated[str, Field(pattern=f"^([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL_NAME}$")]
    """The label's key."""

    value: Annotated[str, Field(pattern=f"^({_LABEL_NAME})?$")]
    """The label's value."""


class CloneLabel(OneKey):
    """A change to the labels of the copy's pods."""

    label: Label = option()
    """Set one label, whether the original has it or not."""

    service: ServiceRef = option()
    """Drop all labels so far and take those that this Service selects."""


class RetargetedService(OneKey):
    """A Service that selects only the copy while the scenario runs."""

    service: ServiceRef = option()
    """The Service."""


class Mutation(OneKey):
    """A difference between the copy and the original."""

    environment: Environment = option()
    """Set an environment variable in every container."""

    tc: TrafficControl = option()
    """Run a `tc` command in each of the copy's pods."""

    toxiproxy: Toxiproxy = option()
    """Send what comes to the copy's ports through Toxiproxy."""


class Clone(Model):
    """Copy a Deployment for the length of the scenario, and inject a fault in the copy only.

    The copy is named after the original with `-chaos` added, carries the label `chaos=true`, and is selected by the
    Services that select the original. The step ends when the copy's pods are Ready with the fault in place.
    """

    source: CloneSource
    """What is copied."""

    replicas: Annotated[Integer, Field(ge=1)] = 1
    """How many pods the copy has."""

    labels: Items[CloneLabel] = ()
    """Changes to the labels of the copy's pods, in order; without any it has those of the original.
    `chaos=true` is always added."""

    services_to_retarget: Items[RetargetedService] = ()
    """Services that select only the copy while the scenario runs."""

    mutations: Items[Mutation] = ()
    """The faults in the copy, applied in order."""
