"""The history of a StatefulSet's or DaemonSet's template: one ControllerRevision a template, numbered.

Pods carry the name or hash of the revision they were made from; an update is over when all carry the newest, and going
back to an old template makes its old revision the newest again. Behaviour: Kubernetes documentation, "StatefulSets",
"DaemonSets" and the API reference of ControllerRevision.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.claims import Claims
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.deployment_revisions import template_hash
from seatrial.sandbox.controllers.objects import (
    BY_CONTROLLER,
    ORPHANS,
    annotations_of,
    by_controller,
    controller_of,
    controller_reference,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    orphans,
    uid_of,
    with_value,
)
from seatrial.sandbox.controllers.owned_pods import OwnerKind
from seatrial.sandbox.informer import Informer

RESOURCE = "controllerrevisions.apps"


@dataclass(frozen=True)
class Newest:
    """The revision of an owner's present template, and how often its name was taken by another."""

    revision: Object
    collisions: int


class ControllerRevisions:
    """Keeps the revisions of one kind of owner.

    Args:
        context: the controllers' surroundings.
        kind: the owners.
        hash_label: the label of a revision that holds its hash.
        tell: called with the name of an owner, in its namespace, one of whose revisions changed.
    """

    def __init__(
        self,
        context: ControllerContext,
        kind: OwnerKind,
        *,
        hash_label: str,
        tell: Callable[[str, str], None] = lambda _namespace, _name: None,
    ) -> None:
        self._api: Api = context.api
        self._kind = kind
        self._hash_label = hash_label
        self._tell = tell
        self.informer: Informer = context.informers.of(RESOURCE)
        self.informer.add_index(BY_CONTROLLER, by_controller)
        self.informer.add_index(ORPHANS, orphans)
        self.informer.add_handler(self._changed)
        self._claims = Claims(context.api, RESOURCE, kind.resource, kind.api_version, kind.kind)

    async def of(self, owner: Object) -> list[Object]:
        """The owner's revisions, the oldest first; adopts those that lost their owner."""
        candidates = [
            *self.informer.indexed(BY_CONTROLLER, uid_of(owner)),
            *(each for each in self.informer.indexed(ORPHANS, namespace_of(owner)) if not is_terminating(each)),
        ]
        claimed = await self._claims.claim(owner, self._kind.selector_of(owner), candidates)
        return sorted(claimed, key=lambda each: (each["revision"], each["metadata"].get("creationTimestamp", "")))

    async def newest(self, owner: Object, revisions: Sequence[Object]) -> Newest:
        """The revision of the owner's template: the known one, raised to the newest, or one that is created."""
        collisions = int((owner.get("status") or {}).get("collisionCount") or 0)
        data = _data_of(owner)
        highest = revisions[-1]["revision"] if revisions else 0
        equal = [each for each in revisions if each.get("data") == data]
        if not equal:
            return await self._create(owner, data, number=highest + 1, collisions=collisions)
        found = equal[-1]
        if found["revision"] < highest:
            raised = with_value(found, ("revision",), highest + 1)
            found = await self._api.replace(RESOURCE, raised)
        return Newest(found, collisions)

    async def forget_old(self, owner: Object, revisions: Sequence[Object], *, in_use: Collection[str]) -> None:
        """Delete the oldest revisions that no pod needs, beyond `spec.revisionHistoryLimit`."""
        limit = int(owner["spec"].get("revisionHistoryLimit", 10))
        unused = [each for each in revisions if name_of(each) not in in_use]
        for each in unused[: max(0, len(unused) - limit)]:
            try:
                await self._api.delete(RESOURCE, name_of(each), namespace_of(each), uid=uid_of(each))
            except ApiError as error:
                if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                    raise

    def hash_of(self, revision: Object) -> str:
        """The hash that stands in the revision's label."""
        return labels_of(revision).get(self._hash_label, "")

    async def _create(self, owner: Object, data: Object, *, number: int, collisions: int) -> Newest:
        while True:
            hashed = template_hash(data, collisions=collisions)
            body = self._body(owner, data, hashed=hashed, number=number)
            try:
                return Newest(await self._api.create(RESOURCE, body, namespace_of(owner)), collisions)
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
            present = await self._api.get(RESOURCE, body["metadata"]["name"], namespace_of(owner))
            reference = controller_of(present)
            if present.get("data") == data and reference is not None and reference["uid"] == uid_of(owner):
                return Newest(present, collisions)
            collisions += 1

    def _body(self, owner: Object, data: Object, *, hashed: str, number: int) -> Object:
        template_labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
        reference = controller_reference(owner, api_version=self._kind.api_version, kind=self._kind.kind)
        metadata: Object = {
            "name": f"{name_of(owner)}-{hashed}",
            "namespace": namespace_of(owner),
            "labels": {**template_labels, self._hash_label: hashed},
            "ownerReferences": [reference],
        }
        if annotations_of(owner):
            metadata["annotations"] = dict(annotations_of(owner))
        return {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": metadata,
            "data": data,
            "revision": number,
        }

    def _changed(self, old: Object | None, new: Object | None) -> None:
        revision = new or old
        reference = controller_of(revision) if revision is not None else None
        if revision is not None and reference is not None and reference["kind"] == self._kind.kind and new is None:
            self._tell(namespace_of(revision), reference["name"])


def _data_of(owner: Object) -> Object:
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def template_of(revision: Object) -> Object:
    """The template that a revision keeps."""
    return {key: value for key, value in revision["data"]["spec"]["template"].items() if key != "$patch"}
