"""What a policy says of a partition."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from seatrial.kube.selectors import LabelSelector, parse_label_selector
from seatrial.policy.base import Complaint, Model, OneKey, complain, option
from seatrial.policy.scalars import FilledItems, Items
from seatrial.targets.pod_matchers.by_selector import LabelSelectorText

Direction = Literal["out", "in"]


def _as_network_policies_have_it(selector: str) -> str:
    if any(each.operator in {"<", ">"} for each in parse_label_selector(selector).requirements):
        raise complain("compares by size, which a NetworkPolicy can't do")
    return selector


class PodGroup(Model):
    """Pods of one namespace."""

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """The namespace, by its whole name."""

    selector: Annotated[LabelSelectorText, AfterValidator(_as_network_policies_have_it)] | None = None
    """A Kubernetes label selector: `app=web`, `tier in (front, back),!canary`; without it, all pods there."""

    @property
    def labels(self) -> LabelSelector:
        """The selector; one that takes everything where none is given."""
        return parse_label_selector(self.selector or "")

    def __str__(self) -> str:
        return f"pods {self.selector} in {self.namespace}" if self.selector else f"pods in {self.namespace}"


class Everything(Model):
    """Everybody else, in the cluster and outside of it."""

    allow_dns: bool = False
    """Whether the pods may still ask name servers (port 53): without names, most programs fail at that already."""


class PartitionFrom(OneKey):
    """What pods are parted from."""

    pods: PodGroup = option()
    """Other pods."""

    everything: Everything = option()
    """Everybody else."""


class PartitionProbe(Model):
    """A command in a pod that gets through before the partition and after it, and must not meanwhile."""

    command: FilledItems[Annotated[str, Field(min_length=1)]]
    """The command as a list of words, without a shell in between; its program has to be in the container's image. It
    ends with 0 where it gets through, and has to have a time limit of its own, since packets are lost silently:
    `[wget, -T, "2", -q, -O, /dev/null, "http://payments:8080/"]`."""

    run_in: PodGroup | None = None
    """The pods of which one runs it, to show that connections into the partitioned pods are cut. Without it one of the
    partitioned pods runs it, to show that connections out of them are cut."""

    container: Annotated[str, Field(min_length=1)] | None = None
    """The container; without it the one that kubectl would take: the annotated default, else the first."""

    timeout: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 10.0
    """How long one try may take, in seconds; one that takes longer shows nothing, and the step is not carried out."""

    within: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = 30.0
    """How many seconds the network may take until the partition holds, and, at clean-up, until it is gone."""

    @property
    def direction(self) -> Direction:
        """What it shows to be cut: connections out of the partitioned pods, or into them."""
        return "in" if self.run_in else "out"


class Partition(Model):
    """Cut pods off from other pods, or from everything, by NetworkPolicies; clean-up deletes exactly these."""

    pods: PodGroup
    """The pods that are cut off."""

    from_: PartitionFrom = Field(alias="from")
    """What they are cut off from."""

    direction: Literal["both", "in", "out"] = "both"
    """Whether to cut new connections that others make to the pods (`in`), that the pods make (`out`), or both."""

    probes: Items[PartitionProbe] = ()
    """What shows that the partition holds, one for each direction at least. A cluster takes NetworkPolicies also where
    nothing enforces them: without a probe the step is inconclusive, since nobody saw that anything was cut."""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that are cut."""
        return ("out", "in") if self.direction == "both" else (self.direction,)

    @property
    def other(self) -> PodGroup | None:
        """The pods that they are cut off from; None for everything."""
        return self.from_.spec if self.from_.key == "pods" else None

    def __str__(self) -> str:
        return f"{self.pods} parted from {self.other or 'everything'}"

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """A probe has to look at a direction that is cut."""
        direction, probes = given.get("direction", "both"), given.get("probes")
        for index, probe in enumerate(probes if isinstance(probes, list | tuple) else ()):
            if not isinstance(probe, Mapping):
                continue
            shown = "in" if probe.get("runIn") is not None else "out"
            if direction in {"in", "out"} and shown != direction:
                where = "with 'runIn'" if shown == "in" else "without 'runIn'"
                yield Complaint(
                    f"a probe {where} shows connections {_WORDS[shown]} the pods, and 'direction' leaves them alone",
                    ("probes", index),
                )


_WORDS = {"in": "into", "out": "out of"}


def in_words(direction: Direction) -> str:
    """A direction as messages have it: `out of`, `into`."""
    return _WORDS[direction]
