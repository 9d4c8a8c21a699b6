"""Which machine a node runs on: by what each says of itself, never by guessing.

A node's `spec.providerID` names its machine in the cloud's own words, so it comes first; then the id at its end, then
addresses, then names. The first of these that leads to a machine decides. Two machines that fit equally well, or two
nodes that claim one machine, are said and left alone. A machine whose provider id is known and another than the node's
is never the node's, whatever else they share: addresses repeat between networks, names between regions.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from seatrial.kube.objects import Node
from seatrial.machines.driver import Machine


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """The machines of nodes, by the nodes' names, and why others have none.

    `unclaimed` are machines of the cloud that no node runs on.
    """

    machines: Mapping[str, Machine]
    problems: Mapping[str, str]
    unclaimed: tuple[Machine, ...] = ()


def pair_machines(nodes: Sequence[Node], machines: Sequence[Machine]) -> Pairing:
    """Find the machine of each node."""
    candidates = {node.metadata.name: _candidates(node, machines) for node in nodes}
    claims = Counter(found[0].id for found in candidates.values() if len(found) == 1)
    paired: dict[str, Machine] = {}
    problems: dict[str, str] = {}
    for name, found in candidates.items():
        if not found:
            problems[name] = "no machine of the cloud is known to be this node's"
        elif len(found) > 1:
            problems[name] = f"{len(found)} machines may be this node's: {', '.join(each.id for each in found)}"
        elif claims[found[0].id] > 1:
            problems[name] = f"machine {found[0].id} may be that of {claims[found[0].id]} nodes"
        else:
            paired[name] = found[0]
    mentioned = {machine.id for found in candidates.values() for machine in found}
    unclaimed = tuple(machine for machine in machines if machine.id not in mentioned)
    return Pairing(machines=paired, problems=problems, unclaimed=unclaimed)


def _candidates(node: Node, machines: Sequence[Machine]) -> list[Machine]:
    """The machines that fit by the first rule by which any does."""
    possible = [machine for machine in machines if not _is_surely_another(node, machine)]
    for rule in _RULES:
        if found := [machine for machine in possible if rule(node, machine)]:
            return found
    return []


def _is_surely_another(node: Node, machine: Machine) -> bool:
    return bool(node.spec.provider_id and machine.provider_id) and not _same_provider_id(node, machine)


def _same_provider_id(node: Node, machine: Machine) -> bool:
    forms = {each.casefold() for each in (machine.provider_id, *machine.other_provider_ids)}
    return bool(node.spec.provider_id) and node.spec.provider_id.casefold() in forms


def _same_instance_id(node: Node, machine: Machine) -> bool:
    return bool(machine.id) and node.spec.provider_id.rpartition("/")[2].casefold() == machine.id.casefold()


def _shared_address(node: Node, machine: Machine) -> bool:
    known = {each.address for each in node.status.addresses if each.type in {"InternalIP", "ExternalIP"}}
    return not known.isdisjoint(machine.addresses)


def _same_name(node: Node, machine: Machine) -> bool:
    named = {node.metadata.name, *node.addresses("Hostname")}
    return machine.name.casefold() in {each.casefold() for each in named}


_RULES: tuple[Callable[[Node, Machine], bool], ...] = (
    _same_provider_id,
    _same_instance_id,
    _shared_address,
    _same_name,
)
