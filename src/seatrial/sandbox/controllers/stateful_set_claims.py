"""The PersistentVolumeClaims of a StatefulSet's pods: made before the pod, and owned as the retention policy says.

A claim outlives its pod and even its set, unless `spec.persistentVolumeClaimRetentionPolicy` says Delete: then it is
owned by the set (`whenDeleted`), or by a pod that is scaled away (`whenScaled`), and the garbage collector does the
rest. Behaviour: Kubernetes documentation, "StatefulSets", PersistentVolumeClaim retention.
"""

from http import HTTPStatus

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.objects import (
    controller_reference,
    is_terminating,
    name_of,
    namespace_of,
    owners_of,
    uid_of,
)
from seatrial.sandbox.controllers.stateful_set_pods import claim_name, claim_templates, new_claim, ordinal_of
from seatrial.sandbox.event_recorder import EventRecorder
from seatrial.sandbox.informer import Informer

RESOURCE = "persistentvolumeclaims"


class StatefulSetClaims:
    """Keeps the claims of StatefulSets.

    Args:
        api: where they live.
        informer: what is known of them.
        events: where successes and failures are told.
        component: the controller's name in events.
    """

    def __init__(self, api: Api, informer: Informer, events: EventRecorder, *, component: str) -> None:
        self._api = api
        self._informer = informer
        self._events = events
        self._component = component

    def is_stale(self, stateful_set: Object, ordinal: int) -> bool:
        """A claim of that number is still on its way out, with the pod that owned it."""
        found = (self._informer.get(namespace_of(stateful_set), name) for name in self._names(stateful_set, ordinal))
        return any(claim is not None and is_terminating(claim) for claim in found)

    async def create_missing(self, stateful_set: Object, ordinal: int) -> None:
        """Make the claims that a pod of that number needs and that aren't there.

        Raises:
            ApiError: a claim is refused.
        """
        for template in claim_templates(stateful_set):
            name = claim_name(stateful_set, template, ordinal)
            if self._informer.get(namespace_of(stateful_set), name) is None:
                await self._create(stateful_set, new_claim(stateful_set, template, ordinal), ordinal)

    async def set_owners(self, stateful_set: Object, pod: Object, *, is_condemned: bool) -> None:
        """Give the claims of a pod the owner that the retention policy asks for.

        Args:
            stateful_set: the pod's.
            pod: whose claims.
            is_condemned: the pod is being scaled away.
        """
        policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
        by_set = policy.get("whenDeleted") == "Delete"
        by_pod = policy.get("whenScaled") == "Delete" and is_condemned
        wanted: Object | None = None
        if by_pod:
            wanted = controller_reference(pod, api_version="v1", kind="Pod")
        elif by_set:
            wanted = controller_reference(stateful_set, api_version="apps/v1", kind="StatefulSet")
        for name in self._names(stateful_set, ordinal_of(pod)):
            claim = self._informer.get(namespace_of(stateful_set), name)
            if claim is not None:
                await self._own(claim, stateful_set, pod, wanted)

    async def _own(self, claim: Object, stateful_set: Object, pod: Object, wanted: Object | None) -> None:
        others = [
            each
            for each in owners_of(claim)
            if each["uid"] not in {uid_of(stateful_set), uid_of(pod)}
            and not (each["kind"] == "Pod" and each["name"] == name_of(pod))
        ]
        owners = [*others, *([wanted] if wanted is not None else [])]
        if owners == owners_of(claim):
            return
        patch = {"metadata": {"uid": uid_of(claim), "ownerReferences": owners or None}}
        await self._api.patch(RESOURCE, name_of(claim), namespace_of(claim), patch)

    async def _create(self, stateful_set: Object, claim: Object, ordinal: int) -> None:
        subject = f"Pod {name_of(stateful_set)}-{ordinal} in StatefulSet {name_of(stateful_set)}"
        try:
            await self._api.create(RESOURCE, claim, namespace_of(stateful_set))
        except ApiError as error:
            if error.code == HTTPStatus.CONFLICT:
                return  # made by somebody else meanwhile
            message = f"Create Claim {name_of(claim)} for {subject} failed error: {error}"
            self._tell(stateful_set, "FailedCreate", message, kind="Warning")
            raise
        self._tell(stateful_set, "SuccessfulCreate", f"Create Claim {name_of(claim)} {subject} success")

    def _names(self, stateful_set: Object, ordinal: int) -> list[str]:
        return [claim_name(stateful_set, template, ordinal) for template in claim_templates(stateful_set)]

    def _tell(self, stateful_set: Object, reason: str, message: str, *, kind: str = "Normal") -> None:
        about = {**stateful_set, "apiVersion": "apps/v1", "kind": "StatefulSet"}
        self._events.record(self._component, about, reason, message, kind=kind)
