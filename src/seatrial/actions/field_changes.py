"""Changing fields of somebody else's object, so that exactly these can be put back and nothing of theirs is lost.

The undo holds, for each field, what stood there before and what we set. Putting back looks at the object as it is by
then: a field that still has our value gets its old one, a field that somebody changed since stays theirs and is
said, an object that was deleted or replaced is left alone. Both ways are merge patches with the object's
resourceVersion as a precondition, so that a change in between makes a fresh look, never a lost update. Whoever managed
the fields before does so again (`field_owners`).

While it is changed, the object carries the run's label: a second run that would change it too is refused, since what it
would find, and put back, is not the object's own state.

Which fields those are is told by `field_differences`.
"""

import asyncio
import copy
import json
import shlex
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from seatrial.actions.created_objects import RUN_LABEL, refuse_leftover
from seatrial.actions.field_differences import FieldChange, Object, differences, patch_between, put_back, put_ours
from seatrial.actions.field_owners import given_back
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import Conflict, NotFound, had_no_effect
from seatrial.kube.resources import Resource
from seatrial.runtime.context import Context
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

_MOST_CONFLICTS = 20
_RUN_LABEL_PATH = ("metadata", "labels", RUN_LABEL)


async def change_fields(
    resource: Resource,
    name: str,
    change: Callable[[Object], None],
    context: Context,
    *,
    namespace: str | None = None,
    description: str = "",
    manual: str = "",
) -> list[FieldChange]:
    """Change an object by a function that edits a copy of it; the undo is in the journal before that.

    Args:
        resource: the object's kind.
        name: the object's name.
        change: edits the object it is given; may be called again with a fresher one.
        context: whose cluster, journal and events.
        namespace: the object's namespace, None where it has none.
        description: what the undo does, such as "scale Deployment shop/cart back to 3"; made up where it isn't given.
        manual: the command by which a person does it; made up where it isn't given.

    Returns:
        What was changed; empty where the object was already as wanted.

    Raises:
        ClusterError: the API server refused, the object isn't there, or another run has changed it.
        StateError: the journal could not be written; nothing was changed.
    """
    before = await context.cluster.get(resource, name, namespace=namespace)
    for attempt in count(1):
        refuse_leftover(before, context.run_id)
        after = copy.deepcopy(before)
        change(after)
        if not differences(before, after):
            return []
        after["metadata"].setdefault("labels", {})[RUN_LABEL] = context.run_id
        changes = differences(before, after)
        undo = revert_undo(resource, before, changes, description=description, manual=manual)
        written = await context.write_undo(undo)
        sent = asyncio.get_running_loop().time()
        try:
            await _patch(resource, before, after, context.cluster)
        except Conflict:
            found = await context.cluster.get(resource, name, namespace=namespace)
            if _label(found) == context.run_id != _label(before):
                return changes  # it was made, and something on the way sent it twice
            await context.journal.settle(written)  # somebody was quicker: nothing was changed
            if attempt == _MOST_CONFLICTS:
                raise
            before = found
        except ClusterError as error:
            if had_no_effect(error):
                await context.journal.settle(written)
            raise
        else:
            context.mark_change(sent)
            return changes
    raise AssertionError  # the loop has no end of its own


def _label(found: Object) -> str | None:
    labels: Object = found["metadata"].get("labels") or {}
    return labels.get(RUN_LABEL)


def revert_undo(
    resource: Resource, before: Object, changes: list[FieldChange], *, description: str = "", manual: str = ""
) -> Undo:
    """The undo of changes to fields of an object that was `before`."""
    meta = before["metadata"]
    namespace = meta.get("namespace", "")
    where = f"{namespace}/" if namespace else ""
    fields = ", ".join(str(each) for each in changes if each.path != _RUN_LABEL_PATH)
    shown = f" ({fields})" if fields else ""
    return Undo(
        kind=REVERT_FIELDS.kind,
        args={
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": meta["name"],
            "namespace": namespace,
            "uid": meta["uid"],
            "changes": [each.as_json() for each in changes],
            "owners": meta.get("managedFields") or [],
        },
        description=description or f"put {resource.kind} {where}{meta['name']} back as it was{shown}",
        manual=manual or _by_hand(resource, before, changes),
    )


def as_before(now: Object, undo: Undo) -> Object:
    """What this undo, a `revertFields`, would make of the object as it is."""
    wanted = copy.deepcopy(now)
    for each in undo.args["changes"]:
        put_back(FieldChange.from_json(each), wanted)
    return wanted


async def _revert(args: Mapping[str, Any], world: World) -> str:
    cluster = world.cluster
    resource = await cluster.resource_for(args["apiVersion"], args["kind"])
    changes = [FieldChange.from_json(each) for each in args["changes"]]
    values = [each for each in changes if each.path != _RUN_LABEL_PATH]
    label = [each for each in changes if each.path == _RUN_LABEL_PATH]
    conflict: Conflict | None = None
    for _ in range(_MOST_CONFLICTS):
        try:
            now = await cluster.get(resource, args["name"], namespace=args["namespace"] or None)
        except NotFound:
            return "somebody deleted it since"
        if now["metadata"]["uid"] != args["uid"]:
            return "somebody replaced it by another since"
        wanted = copy.deepcopy(now)
        left = [str(each) for each in values if not put_back(each, wanted)]
        try:
            if wanted != now:
                now = await _patch(resource, now, wanted, cluster)
            await _let_go(resource, now, label, args.get("owners") or [], cluster)
        except Conflict as error:
            conflict = error
        except NotFound:
            return "somebody deleted it since"
        else:
            return f"left as somebody else set it since: {', '.join(left)}" if left else ""
    assert conflict is not None  # noqa: S101 -- the loop ends in no other way
    raise conflict


REVERT_FIELDS = UndoKind(kind="revertFields", run=_revert)


async def _patch(resource: Resource, now: Object, wanted: Object, cluster: Client) -> Object:
    return await _send(resource, now, patch_between(now, wanted), cluster)


async def _let_go(
    resource: Resource, now: Object, label: list[FieldChange], before: list[Object], cluster: Client
) -> None:
    """Take the run's label away and let the fields be managed by those who did before, in one go.

    Until then no other run touches the object: it would take us for a manager of its fields.
    """
    wanted = copy.deepcopy(now)
    for each in label:
        put_back(each, wanted)
    patch = patch_between(now, wanted)
    managed = now["metadata"].get("managedFields") or []
    # An empty list means that nothing is meant; what empties it is an entry that says nothing.
    managers = given_back(managed, before) or [{}]
    if managed and managers != managed:
        patch["metadata"] = {**patch.get("metadata", {}), "managedFields": managers}
    if any(patch.values()):
        await _send(resource, now, patch, cluster)


async def _send(resource: Resource, now: Object, patch: Object, cluster: Client) -> Object:
    """Send a merge patch that is refused where the object isn't as it was read."""
    meta = now["metadata"]
    precondition = {key: meta[key] for key in ("uid", "resourceVersion")}
    body = {**patch, "metadata": {**patch.get("metadata", {}), **precondition}}
    return await cluster.patch(resource, meta["name"], body, namespace=meta.get("namespace") or None)


def _by_hand(resource: Resource, before: Object, changes: list[FieldChange]) -> str:
    """The command that puts the fields back, whatever they are by then.

    What stands in a Secret belongs on no terminal and in no log: the journal has it, and `seatrial recover` reads that.
    """
    if (resource.group, resource.kind) == ("", "Secret"):
        run = next((each.ours for each in changes if each.path == _RUN_LABEL_PATH), "")
        return shlex.join(["seatrial", "recover", *(["--run", run] if run else [])])
    ours = copy.deepcopy(before)
    put_ours(changes, ours)
    patch = json.dumps(patch_between(ours, before))
    meta = before["metadata"]
    where = ["-n", meta["namespace"]] if meta.get("namespace") else []
    command = ["kubectl", "patch", resource.qualified_name, meta["name"], *where, "--type", "merge", "-p", patch]
    return shlex.join(command)
