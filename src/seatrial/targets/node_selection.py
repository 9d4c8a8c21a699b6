"""From matchers and filters to the exact nodes: the matchers and filters of `nodeAction`.

A run and a plan both call `select_nodes` with the same seed, so that they agree; the order is that of the nodes' names.
The cloud is asked only where somebody needs it: an action on machines, or the properties `group`, `az` and `state`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from seatrial.kube.selectors import SelectorError, parse_label_selector
from seatrial.policy.base import Model, OneKey, complain, option
from seatrial.policy.scalars import Fraction
from seatrial.runtime.context import Context
from seatrial.runtime.events import NodesChosen, TargetsFiltered, TargetsMatched
from seatrial.runtime.failed_units import UNKNOWN, FailedUnits
from seatrial.targets.filters import DayTime, RandomSample, Regex, any_matches, filter_targets
from seatrial.targets.nodes import NodeTarget, list_targets

_ASKS_THE_CLOUD = frozenset({"group", "az", "state"})


def _as_selector(selector: str) -> str:
    if not selector.strip():
        raise complain("is empty, which selects nothing; to take all nodes match the property name with '.*'")
    try:
        parse_label_selector(selector)
    except SelectorError as error:
        raise complain(f"is no valid label selector: {error.message}") from None
    return selector


class NodeProperty(Model):
    """Takes the nodes whose property matches a regular expression."""

    name: Literal["name", "ip", "group", "az", "state"]
    """The node's name; one of its addresses; one of its groups; its availability zone; or `UP`, `DOWN`, `UNKNOWN`.

    Groups are the node's roles, the node pool that its provider labels it with, and the groups of its machine in the
    cloud; with an inventory file those that it is in there, else each of its labels, as `KEY=VALUE` and by the value
    alone. The zone is the label `topology.kubernetes.io/zone`, or what the cloud says.
    The state is the machine's where its cloud is known; else `UP` for a node whose kubelet reports, and `UNKNOWN`.
    """

    value: Regex
    """A regular expression, compared from the start of the property, ignoring case;
    end it with `$` to compare the whole."""

    negative: bool = False
    """Take the nodes none of whose values match instead."""


class NodeLabels(Model):
    """Takes the nodes that a label selector selects."""

    selector: Annotated[str, AfterValidator(_as_selector), Field(json_schema_extra={"minLength": 1})]
    """A Kubernetes label selector: `topology.kubernetes.io/zone in (west-1, west-2)`,
    `!node-role.kubernetes.io/control-plane`."""


class NodeTargetMatcher(OneKey):
    """Names a set of nodes."""

    property_: NodeProperty = option(alias="property")
    """The nodes whose property matches a regular expression."""

    labels: NodeLabels = option()
    """The nodes that a label selector selects."""

    failed: Literal[True] = option()
    """The nodes that failed, in a scenario of the run strategy `failures`."""


class NodeFilter(OneKey):
    """Decides which of the matched nodes stay."""

    property_: NodeProperty = option(alias="property")
    """Keep the nodes whose property matches a regular expression."""

    day_time: DayTime = option()
    """Let all nodes pass at these times, none at others."""

    random_sample: RandomSample = option()
    """Keep some nodes, picked at random."""

    probability: Fraction = option()
    """Let all nodes pass with this probability, else none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSelection:
    """The nodes left after matching and filtering.

    `notes` say how filters decided where that isn't plain, `empty_reason` why no node is left. `named` are the
    names of those that a matcher names exactly, filters or not.
    """

    targets: tuple[NodeTarget, ...]
    matched: int
    notes: tuple[str, ...] = ()
    empty_reason: str = ""
    named: frozenset[str] = frozenset()


async def select_nodes(
    matchers: Sequence[NodeTargetMatcher],
    filters: Sequence[NodeFilter],
    context: Context,
    *,
    needs_machines: bool = False,
) -> NodeSelection:
    """Match, then filter in order.

    Raises:
        ClusterError: the API server refused or did not answer.
        MachineError: the cloud refused or did not answer.
    """
    asks = needs_machines or _ask_the_cloud(matchers, filters)
    all_nodes, notes = await list_targets(context, needs_machines=asks)
    matched: dict[str, NodeTarget] = {}
    for matcher in matchers:
        found = [target for target in all_nodes if takes(matcher, target, failed=context.failed)]
        context.emit(TargetsMatched(matcher=describe(matcher), count=len(found), kind="node"))
        if matcher.spec is True and (context.failed is None or not context.failed.nodes):
            notes.append("what failed is a pod" if context.failed else UNKNOWN)
        matched.update((target.node.metadata.uid, target) for target in found)
    targets: Sequence[NodeTarget] = [target for target in all_nodes if target.node.metadata.uid in matched]
    named = frozenset(
        target.name for target in targets if any(_is_named(target, matcher, context.failed) for matcher in matchers)
    )
    words = "; ".join(describe(matcher) for matcher in matchers)
    reason = "" if targets else f"no node matched ({words})" + (f": {'; '.join(notes)}" if notes else "")
    for index, each in enumerate(filters):
        if not targets:
            break
        before = len(targets)
        targets, note = filter_targets(
            each.spec,
            targets,
            has_property=_has_property,
            random=context.random("filter", index),
            now=context.clock.now(),
        )
        context.emit(TargetsFiltered(filter=each.key, before=before, after=len(targets), note=note))
        if note:
            notes.append(f"{each.key}: {note}")
        if not targets:
            reason = f"the filter {each.key} left none of {before} node{'' if before == 1 else 's'}" + (
                f" ({note})" if note else ""
            )
    context.emit(NodesChosen(nodes=tuple(target.ref for target in targets), matched=len(matched)))
    return NodeSelection(
        targets=tuple(targets),
        matched=len(matched),
        notes=tuple(notes),
        empty_reason=reason,
        named=named,
    )


async def matching_nodes(matchers: Sequence[NodeTargetMatcher], context: Context) -> list[NodeTarget]:
    """The nodes that any of the matchers takes, where they are not themselves a step's targets; nothing is said.

    Raises:
        ClusterError: the API server refused or did not answer.
        MachineError: the cloud refused or did not answer.
    """
    all_nodes, _ = await list_targets(context, needs_machines=_ask_the_cloud(matchers, ()))
    return [each for each in all_nodes if any(takes(matcher, each, failed=context.failed) for matcher in matchers)]


def takes(matcher: NodeTargetMatcher, target: NodeTarget, *, failed: FailedUnits | None = None) -> bool:
    """Whether a matcher takes this node."""
    spec = matcher.spec
    if spec is True:
        return failed is not None and target.name in failed.nodes
    if isinstance(spec, NodeLabels):
        return parse_label_selector(spec.selector).matches(target.node.metadata.labels)
    return _has_property(target, spec)


def describe(matcher: NodeTargetMatcher) -> str:
    """A matcher in a few words."""
    spec = matcher.spec
    if spec is True:
        return "failed"
    if isinstance(spec, NodeLabels):
        return f"nodes with labels {spec.selector}"
    return f"nodes whose {spec.name} {'does not match' if spec.negative else 'matches'} {spec.value}"


def _ask_the_cloud(matchers: Sequence[NodeTargetMatcher], filters: Sequence[NodeFilter]) -> bool:
    specs = [each.spec for each in (*matchers, *filters)]
    return any(isinstance(spec, NodeProperty) and spec.name in _ASKS_THE_CLOUD for spec in specs)


def _is_named(target: NodeTarget, matcher: NodeTargetMatcher, failed: FailedUnits | None) -> bool:
    """Whether the matcher means this very node, by its whole name or address; others that it takes are not named."""
    spec = matcher.spec
    if spec is True:
        return failed is not None and target.name in failed.nodes and target.name in failed.named
    if not isinstance(spec, NodeProperty) or spec.name not in {"name", "ip"} or spec.negative:
        return False
    plain = spec.value.removeprefix("^").removesuffix("$").replace(r"\.", ".").lower()
    return plain in {value.lower() for value in _values(target, spec)}


def _has_property(target: NodeTarget, spec: NodeProperty) -> bool:
    return any_matches(spec.value, _values(target, spec)) is not spec.negative


def _values(target: NodeTarget, spec: NodeProperty) -> list[str]:
    match spec.name:
        case "name":
            return [target.name]
        case "ip":
            return target.addresses
        case "group":
            return target.groups
        case "az":
            return [target.zone] if target.zone else []
        case "state":
            return [target.state.value]
