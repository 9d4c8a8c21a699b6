"""Deleting objects as `kubectl delete` does: in order, dependents in the background, and waiting until they are gone.

All undos are in the journal before the first object is deleted, in reverse, so that clean-up makes the objects anew in
the order in which they were written. What can't come back is refused, unless it is meant not to.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from seatrial.actions.created_objects import DELETE_OBJECT, RUN_LABEL, object_in_words, refuse_leftover, wait_until_gone
from seatrial.actions.field_changes import REVERT_FIELDS, as_before
from seatrial.actions.manifest_text import Manifest
from seatrial.actions.manifests import KEPT_BY, found, placed
from seatrial.actions.recreated_objects import controller_of, recreation_of, unrestorable
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import Conflict, NotFound
from seatrial.kube.resources import Resource
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, ObjectDeleted
from seatrial.runtime.journal import WrittenUndo

_LONGEST_SECONDS = 300.0
_MOST_CONFLICTS = 20


class Deleter(Protocol):
    """Who deletes an object."""

    async def delete(self, resource: Resource, thing: Manifest) -> None:
        """Begin the deletion of exactly this object."""
        ...


class ThroughApi:
    """Deletion through the API, of the very object that was looked at."""

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster

    async def delete(self, resource: Resource, thing: Manifest) -> None:
        """Delete it as it was read, with its own grace period, its dependents in the background.

        Raises:
            NotFound: it is gone already.
            Conflict: it isn't as it was read any more, or another has its name.
        """
        meta = thing["metadata"]
        try:
            await self._cluster.delete(
                resource,
                meta["name"],
                namespace=meta.get("namespace"),
                uid=meta["uid"],
                resource_version=meta["resourceVersion"],
                propagation_policy="Background",
            )
        except (NotFound, Conflict) as error:
            # The first sending may have done it: gone, or going and therefore changed.
            if not error.after_repeat:
                raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """An object to be deleted: whether clean-up makes it anew, else who does or why nobody has to."""

    resource: Resource
    thing: Manifest
    comes_back: bool
    why_not: str = ""
    lost: str = ""

    @property
    def words(self) -> str:
        """Kind, namespace and name."""
        return object_in_words(_named(self.resource, self.thing))


async def find_victims(
    manifests: Sequence[Manifest], context: Context, *, restored: bool
) -> tuple[list[Victim], list[str]]:
    """What deleting these objects would hit, each object once, and which of them aren't there.

    `restored` False deletes for good: nothing comes back, and nothing is too precious.

    Raises:
        ClusterError: the API server refused, or another run is at work on one of them.
    """
    victims: dict[tuple[Any, ...], Victim] = {}
    missing: dict[str, None] = {}
    for manifest in manifests:
        resource, namespace = await placed(manifest, context.cluster)
        name = manifest["metadata"]["name"]
        thing = await found(resource, name, namespace, context.cluster)
        if thing is None:
            named = {**manifest, "metadata": {"name": name, "namespace": namespace or ""}}
            missing[object_in_words(named)] = None
            continue
        refuse_leftover(thing, context.run_id)
        victims[resource, namespace, name] = _victim(resource, thing, context, restored=restored)
    return list(victims.values()), list(missing)


async def delete_victims(victims: Sequence[Victim], context: Context, *, deleter: Deleter | None = None) -> None:
    """Delete the objects and wait until they are gone, at most five minutes.

    Raises:
        ClusterError: one is too precious (nothing was deleted then), the API server refused, or one doesn't go.
        StateError: the journal could not be written; nothing was deleted.
    """
    precious = [each for each in victims if each.lost]
    if precious:
        what = "; ".join(f"{each.words} ({each.lost})" for each in precious)
        raise ClusterError(
            f"deleting this can't be undone: {what}", hint="with 'autoDelete: false' it is deleted for good"
        )
    undos = [await _write_undo(each, context) for each in reversed(victims)][::-1]
    chosen = deleter or ThroughApi(context.cluster)
    for each, written in zip(victims, undos, strict=True):
        await context.halt.check()
        await _delete(each, written, chosen, context)
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            for each in victims:
                await _see_gone(each, context)
    except TimeoutError:
        raise ClusterError(
            f"{each.words} is still there after {_LONGEST_SECONDS:g} s",
            hint="something holds its deletion up: look at its finalizers and events",
        ) from None


async def _delete(victim: Victim, written: WrittenUndo | None, deleter: Deleter, context: Context) -> None:
    """Delete an object as it is: what somebody else changed last is what comes back, what they deleted does not."""
    meta = victim.thing["metadata"]
    for _ in range(_MOST_CONFLICTS):
        sent = context.clock.monotonic()
        try:
            await deleter.delete(victim.resource, victim.thing)
        except (NotFound, Conflict):
            now = await found(victim.resource, meta["name"], meta.get("namespace"), context.cluster)
            stale, written = written, None
            if now is not None and now["metadata"]["uid"] == meta["uid"]:
                going = bool(now["metadata"].get("deletionTimestamp"))  # somebody else has deleted it
                victim = replace(victim, thing=now, comes_back=victim.comes_back and not going)
                written = await _write_undo(victim, context)
            if stale is not None:
                await context.journal.settle(stale)
            if now is None:
                return
            if now["metadata"]["uid"] != meta["uid"]:
                raise ClusterError(
                    f"{victim.words} was replaced by another in the meantime; that one is left alone"
                ) from None
        else:
            context.mark_change(sent)
            return
    raise ClusterError(f"{victim.words} changes all the time: it could not be deleted as it was read")


async def _see_gone(victim: Victim, context: Context) -> None:
    meta = victim.thing["metadata"]
    await wait_until_gone(victim.resource, meta["name"], meta.get("namespace"), meta["uid"], context.cluster)
    context.emit(
        ObjectDeleted(
            kind=victim.resource.kind,
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            comes_back=victim.comes_back,
        )
    )
    context.emit(FaultProven(subject=victim.words, proof=f"the object with the UID {meta['uid']} is gone"))


def _victim(resource: Resource, thing: Manifest, context: Context, *, restored: bool) -> Victim:
    why_not = _why_not_restored(resource, thing, context) if restored else "it is deleted for good"
    lost = "" if why_not else unrestorable(resource, thing)
    return Victim(resource=resource, thing=thing, comes_back=not (why_not or lost), why_not=why_not, lost=lost)


def _why_not_restored(resource: Resource, thing: Manifest, context: Context) -> str:
    if (thing["metadata"].get("annotations") or {}).get(KEPT_BY):
        return "a run of Seatrial made it"
    if _made_by_this_scenario(resource, thing, context):
        return "this scenario made it"
    if controller := controller_of(thing):
        return f"{controller} makes it anew"
    return "it is on its way out already" if thing["metadata"].get("deletionTimestamp") else ""


def _made_by_this_scenario(resource: Resource, thing: Manifest, context: Context) -> bool:
    """Whether its undo deletes it at the end of the scenario anyway; what was loaded for the whole run comes back."""
    meta = thing["metadata"]
    if (meta.get("labels") or {}).get(RUN_LABEL) != context.run_id:
        return False
    wanted = {"kind": resource.kind, "name": meta["name"], "namespace": meta.get("namespace", "")}
    undos = (written.undo for written in context.journal.newer_than(0) if written.id in context.scope.undos)
    return any(undo.kind == DELETE_OBJECT.kind and wanted.items() <= dict(undo.args).items() for undo in undos)


async def _write_undo(victim: Victim, context: Context) -> WrittenUndo | None:
    """Write down how the object comes back, without what this run changed in it: another object takes no such undo."""
    if not victim.comes_back:
        return None
    thing = victim.thing
    for written in context.journal.newer_than(0):
        undo = written.undo
        if undo.kind == REVERT_FIELDS.kind and undo.args["uid"] == thing["metadata"]["uid"]:
            thing = as_before(thing, undo)
    return await context.write_undo(recreation_of(victim.resource, thing, context.run_id))


def _named(resource: Resource, thing: Manifest) -> Manifest:
    return {**thing, "kind": resource.kind}
