"""Which thing is meant by a pod's number, by KIND NAME, by KIND/NAME; and whose account it gets."""

from collections.abc import Mapping
from typing import Any

import msgspec

from seatrial.by_hand.list_numbers import number_in
from seatrial.errors import UsageError
from seatrial.kube.discovery import UnknownKindError
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import Node, Pod, Service
from seatrial.kube.resources import NODES, PODS, WELL_KNOWN, Resource
from seatrial.shell.describing.account import Account
from seatrial.shell.describing.nodes import node_account
from seatrial.shell.describing.others import other_account
from seatrial.shell.describing.pods import pod_account
from seatrial.shell.describing.services import service_account
from seatrial.shell.describing.workloads import KINDS, workload_account
from seatrial.shell.listings.shown import nodes_and_machines, zones_of_nodes
from seatrial.shell.look import guess, has_namespace, now
from seatrial.shell.shell import Shell
from seatrial.targets.nodes import NodeTarget

_SAID_OF_A_KIND = frozenset(
    name for each in WELL_KNOWN for name in (each.plural, each.kind.lower(), each.qualified_name)
)


class Thing(msgspec.Struct, frozen=True):
    """An object of the API server as it is, without the book-keeping of `managedFields`."""

    resource: Resource
    body: Mapping[str, Any]


async def find_thing(what: str, name: str | None, shell: Shell, *, namespace: str | None) -> Thing:
    """The thing that is meant.

    Raises:
        UsageError: nobody can know what is meant, or there is no such thing.
        ClusterError: it may not be read, or the API server is away.
    """
    cluster = shell.session.context.cluster
    resource, name, place = await _named(what, name, shell)
    place = place or namespace or shell.namespace
    try:
        body = await cluster.get(resource, name, namespace=place if resource.namespaced else None)
    except NotFound:
        where = f" in namespace {place}" if resource.namespaced else ""
        hint = guess(name, _known_names(resource, place, shell))
        raise UsageError(f"there is no {resource.kind} {name!r}{where}", hint=hint) from None
    meta = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return Thing(resource, {"apiVersion": resource.api_version, "kind": resource.kind, **body, "metadata": meta})


async def _named(what: str, name: str | None, shell: Shell) -> tuple[Resource, str, str]:
    """Kind, name and (where it is said) namespace of what is meant."""
    if name is not None:
        return await _of_kind(what, name, shell)
    head, slash, rest = what.partition("/")
    if slash and not await _is_namespace(head, shell):
        try:
            return await _of_kind(head, rest, shell)
        except UnknownKindError as error:
            raise UsageError(
                f"{head!r} is neither a namespace nor a kind", hint="describe NAMESPACE/POD, or describe KIND NAME"
            ) from error
    if what.lower() in _SAID_OF_A_KIND:
        raise UsageError(f"which of the {what}? a name has to follow", hint=f"describe {what} NAME")
    return await _of_kind("pods", what, shell)


async def _of_kind(kind: str, name: str, shell: Shell) -> tuple[Resource, str, str]:
    resource = await shell.session.context.cluster.discover(kind)
    if (number := number_in(name)) is not None and resource in (PODS, NODES):
        return (resource, *_numbered(number, resource, shell))
    place, slash, rest = name.partition("/")
    return (resource, rest, place) if slash else (resource, name, "")


def _numbered(number: int, resource: Resource, shell: Shell) -> tuple[str, str]:
    """Name and namespace of what has that number in the last list."""
    pods = [(name, namespace) for namespace, name in shell.numbered_pods]
    listed = pods if resource == PODS else [(name, "") for name in shell.numbered_nodes]
    if not 1 <= number <= len(listed):
        said = f"the last list has {len(listed)}" if listed else f"no {resource.plural} were listed yet"
        raise UsageError(
            f"there is no {resource.kind.lower()} number {number}: {said}", hint=f"{resource.plural} lists them"
        )
    return listed[number - 1]


async def _is_namespace(name: str, shell: Shell) -> bool:
    exists = await has_namespace(name, shell)
    # Who may not look knows the one that the session is in.
    return name == shell.namespace if exists is None else exists


def _known_names(resource: Resource, namespace: str, shell: Shell) -> list[str]:
    kind = shell.live.kinds.get(resource.plural)
    return list(kind.names(namespace if resource.namespaced else "")) if kind is not None and kind.is_ready else []


async def account_of(thing: Thing, shell: Shell) -> Account:
    """All there is to say about a thing."""
    context, moment = shell.session.context, await now(shell)
    kind, cluster = thing.resource.kind, context.cluster
    if thing.resource == PODS:
        pod = msgspec.convert(thing.body, Pod)
        zones, _ = await zones_of_nodes(shell)
        zone = zones.get(pod.spec.node_name, "")
        return await pod_account(pod, shell.session, zone=zone, now=moment)
    if thing.resource == NODES:
        node = msgspec.convert(thing.body, Node)
        targets, doubt = await nodes_and_machines(shell)
        found = [each for each in targets if each.has_node and each.name == node.metadata.name]
        return await node_account(found[0] if found else NodeTarget(node=node), context, doubt=doubt, now=moment)
    if kind in KINDS and thing.resource.group == "apps":
        return await workload_account(kind, thing.body, cluster, now=moment)
    if kind == "Service" and not thing.resource.group:
        return await service_account(msgspec.convert(thing.body, Service), cluster, now=moment)
    return await other_account(kind, thing.body, cluster, now=moment)
