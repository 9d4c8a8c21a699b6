"""The pods of one kind of owner: whose they are, and who has to be told when one of them changes.

ReplicaSets, StatefulSets, DaemonSets and Jobs all follow their pods alike: expectations are met, orphans are offered to
every owner whose selector matches, a pod that was released tells its former owner. What the owner then does is its
controller's own matter. Who may own what is decided in `claims.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.claims import Claims
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.expectations import Expectations
from seatrial.sandbox.controllers.objects import (
    BY_CONTROLLER,
    ORPHANS,
    by_controller,
    controller_of,
    is_active,
    is_terminating,
    labels_of,
    namespace_of,
    orphans,
    uid_of,
)
from seatrial.sandbox.informer import key_of

# The owner, and the pod before and after, as an informer's handler has them.
PodNews = Callable[[Object, Object | None, Object | None], None]


@dataclass(frozen=True)
class OwnerKind:
    """A kind that owns pods.

    Args:
        resource: `replicasets.apps`.
        api_version: `apps/v1`.
        kind: `ReplicaSet`.
        component: the controller's name, as it stands in events.
    """

    resource: str
    api_version: str
    kind: str
    component: str

    def selector_of(self, owner: Object) -> LabelSelector:
        """Which pods the owner is after; a ReplicationController has a plain map of labels."""
        selector = owner["spec"].get("selector")
        return LabelSelector.from_labels(selector) if self.api_version == "v1" else LabelSelector.from_dict(selector)


class OwnedPods:
    """Follows the pods of one kind of owner.

    Args:
        context: the controllers' surroundings.
        kind: the owners.
        expectations: told of every pod that appears or ends.
        tell: called with each owner that a change of a pod concerns.
    """

    def __init__(
        self, context: ControllerContext, kind: OwnerKind, *, expectations: Expectations, tell: PodNews
    ) -> None:
        self.kind = kind
        self._expectations = expectations
        self._tell = tell
        self._owners = context.informers.of(kind.resource)
        self.informer = context.informers.of("pods")
        self.informer.add_index(BY_CONTROLLER, by_controller)
        self.informer.add_index(ORPHANS, orphans)
        self._claims = Claims(context.api, "pods", kind.resource, kind.api_version, kind.kind)
        self.informer.add_handler(self._changed)

    def owner_of(self, pod: Object) -> Object | None:
        """The owner of this kind that controls the pod, if it still exists."""
        reference = controller_of(pod)
        if reference is None or reference["kind"] != self.kind.kind or not self._is_of_kind(reference):
            return None
        owner = self._owners.get(namespace_of(pod), reference["name"])
        return owner if owner is not None and uid_of(owner) == reference["uid"] else None

    def controlled_by(self, owner: Object) -> list[Object]:
        """The pods that name this owner, whatever their labels."""
        return self.informer.indexed(BY_CONTROLLER, uid_of(owner))

    async def of(
        self,
        owner: Object,
        *,
        selector: LabelSelector | None = None,
        is_member: Callable[[Object], bool] = lambda _pod: True,
        adopts: Callable[[Object], bool] = is_active,
    ) -> list[Object]:
        """The owner's pods; adopts and releases on the way.

        Args:
            owner: whose.
            selector: which, where it isn't the owner's own.
            is_member: what else a pod has to fulfil to be considered.
            adopts: which orphans may be adopted.
        """
        free = self.informer.indexed(ORPHANS, namespace_of(owner))
        candidates = [*self.controlled_by(owner), *(pod for pod in free if adopts(pod))]
        wanted = self.kind.selector_of(owner) if selector is None else selector
        return await self._claims.claim(owner, wanted, [pod for pod in candidates if is_member(pod)])

    def _is_of_kind(self, reference: Object) -> bool:
        group = self.kind.api_version.rpartition("/")[0]
        return bool(reference["apiVersion"].rpartition("/")[0] == group)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old
        if pod is None:
            return
        owner = self.owner_of(pod)
        if owner is not None:
            self._meet_expectations(owner, old, new)
            self._tell(owner, old, new)
        if old is not None and new is not None:
            former = self.owner_of(old)
            if former is not None and (owner is None or uid_of(former) != uid_of(owner)):
                self._tell(former, old, new)
        if new is not None and controller_of(new) is None and not is_terminating(new):
            self._offer_to_all(old, new)

    def _meet_expectations(self, owner: Object, old: Object | None, new: Object | None) -> None:
        if new is None or is_terminating(new):
            self._expectations.deletion_observed(key_of(owner), uid_of(new or old or owner))
        elif old is None:
            self._expectations.creation_observed(key_of(owner))

    def _offer_to_all(self, old: Object | None, pod: Object) -> None:
        labels = labels_of(pod)
        if not labels:
            return
        for owner in self._owners.list(namespace_of(pod)):
            if self.kind.selector_of(owner).matches(labels):
                self._tell(owner, old, pod)
