"""Which objects belong to a controller's object, by ControllerRef: adopting orphans that match, releasing what doesn't.

The rules are those of Kubernetes' design "Controller Ref": a selector alone never makes an owner; whoever has another
controller is left alone; an owner that is being deleted adopts nobody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.objects import (
    controller_of,
    controller_reference,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    owners_of,
    uid_of,
)


@dataclass(frozen=True)
class Claims:
    """Claims what one object owns.

    Args:
        api: where ownership is changed.
        resource: what is claimed: `pods`.
        owner_resource: the owner's resource: `replicasets.apps`.
        api_version: the owner's.
        kind: the owner's.
    """

    api: Api
    resource: str
    owner_resource: str
    api_version: str
    kind: str

    async def claim(self, owner: Object, selector: LabelSelector, candidates: Iterable[Object]) -> list[Object]:
        """Return what belongs to the owner; adopt and release on the way."""
        claimed = []
        may_adopt: bool | None = None
        matched: dict[str, str] | None = None
        for item in candidates:
            reference = controller_of(item)
            # Those made from one template bear the same labels, and comparing is cheaper than matching.
            labels = labels_of(item)
            matches = labels == matched or selector.matches(labels)
            if matches:
                matched = labels
            if reference is not None:
                if reference["uid"] != uid_of(owner):
                    continue
                if matches:
                    claimed.append(item)
                elif not is_terminating(owner):
                    await self._release(owner, item)
            elif matches and not is_terminating(item) and not is_terminating(owner):
                if may_adopt is None:
                    may_adopt = await self._may_adopt(owner)
                adopted = await self._adopt(owner, item) if may_adopt else None
                if adopted is not None:
                    claimed.append(adopted)
        return claimed

    async def _may_adopt(self, owner: Object) -> bool:
        # The cached owner may be dead already: adoption needs a fresh look.
        fresh = await self.api.get(self.owner_resource, name_of(owner), namespace_of(owner))
        return uid_of(fresh) == uid_of(owner) and not is_terminating(fresh)

    async def _adopt(self, owner: Object, item: Object) -> Object | None:
        reference = controller_reference(owner, api_version=self.api_version, kind=self.kind)
        return await self._set_owners(item, [*owners_of(item), reference])

    async def _release(self, owner: Object, item: Object) -> None:
        rest = [reference for reference in owners_of(item) if reference["uid"] != uid_of(owner)]
        await self._set_owners(item, rest or None)

    async def _set_owners(self, item: Object, owners: list[Object] | None) -> Object | None:
        patch = {"metadata": {"uid": uid_of(item), "ownerReferences": owners}}
        try:
            return await self.api.patch(self.resource, name_of(item), namespace_of(item), patch)
        except ApiError as error:
            if error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT}:
                return None  # gone, or another object of that name: nothing to own
            raise
