"""Creating and deleting an owner's pods: in batches, with expectations kept and events told.

Creations start slowly, 1, 2, 4, 8 at a time: when the API server refuses (a quota, an admission rule), the first
refusal stops the rest instead of a thousand of them following.
"""

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.expectations import Expectations
from seatrial.sandbox.controllers.objects import (
    controller_reference,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.event_recorder import EventRecorder
from seatrial.sandbox.informer import key_of


@dataclass(frozen=True)
class PodControl:
    """Creates and deletes pods for the owners of one kind.

    Args:
        api: where pods live.
        events: where successes and failures are told.
        component: the controller's name in events.
        api_version: the owners'.
        kind: the owners'.
        expectations: told before each act, and taken back when it fails.
    """

    api: Api
    events: EventRecorder
    component: str
    api_version: str
    kind: str
    expectations: Expectations

    async def create(self, owner: Object, count: int, *, pod: Callable[[int], Object] | None = None) -> None:
        """Create so many pods.

        Args:
            owner: theirs.
            count: how many.
            pod: the body of the pod of each number from 0; made of the owner's template where there is none.

        Raises:
            ApiError: the first refusal; pods that were not tried are expected no longer.
        """
        key = key_of(owner)
        self.expectations.expect_creations(key, count)
        done, batch = 0, 1
        while done < count:
            batch = min(batch, count - done)
            bodies = (self.from_template(owner) if pod is None else pod(done + each) for each in range(batch))
            results = await asyncio.gather(*(self._create_one(owner, body) for body in bodies), return_exceptions=True)
            done += batch
            failures = [result for result in results if isinstance(result, BaseException)]
            if failures:
                self.expectations.creation_observed(key, len(failures) + count - done)
                raise failures[0]
            batch *= 2

    async def delete(self, owner: Object, pods: Sequence[Object]) -> None:
        """Delete these pods, all at once.

        Raises:
            ApiError: the first refusal, after all were tried.
        """
        for pod in pods:
            self.expectations.expect_deletion(key_of(owner), uid_of(pod))
        results = await asyncio.gather(*(self._delete_one(owner, pod) for pod in pods), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _create_one(self, owner: Object, body: Object) -> None:
        try:
            pod = await self.api.create("pods", body, namespace_of(owner))
        except ApiError as error:
            if "NamespaceTerminating" in str(error.status):
                self.expectations.creation_observed(key_of(owner))
                return  # no creation will succeed, and there is nobody to be told
            if not is_terminating(owner):
                self._tell(owner, "FailedCreate", f"Error creating: {error}", kind="Warning")
            raise
        self._tell(owner, "SuccessfulCreate", f"Created pod: {name_of(pod)}")

    async def _delete_one(self, owner: Object, pod: Object) -> None:
        try:
            await self.api.delete("pods", name_of(pod), namespace_of(pod), uid=uid_of(pod))
        except ApiError as error:
            self.expectations.deletion_observed(key_of(owner), uid_of(pod))
            if error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                return  # gone already, perhaps replaced by a namesake
            self._tell(owner, "FailedDelete", f"Error deleting: {error}", kind="Warning")
            raise
        self._tell(owner, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")

    def from_template(self, owner: Object, template: Object | None = None) -> Object:
        """A pod of the owner's, to be changed and created, of its own template or another."""
        return pod_from_template(owner, template, api_version=self.api_version, kind=self.kind)

    def _tell(self, owner: Object, reason: str, message: str, *, kind: str = "Normal") -> None:
        about = {**owner, "apiVersion": self.api_version, "kind": self.kind}
        self.events.record(self.component, about, reason, message, kind=kind)


def pod_from_template(owner: Object, template: Object | None, *, api_version: str, kind: str) -> Object:
    """A pod made of a template, with its controller; it shares nothing with the template.

    Args:
        owner: its controller.
        template: None for the owner's own.
        api_version: the owner's.
        kind: the owner's.
    """
    made = copy.deepcopy(owner["spec"]["template"] if template is None else template)
    given = made.get("metadata") or {}
    metadata = {field: given[field] for field in ("labels", "annotations", "finalizers") if given.get(field)}
    metadata["generateName"] = f"{name_of(owner)}-"
    metadata["namespace"] = namespace_of(owner)
    metadata["ownerReferences"] = [controller_reference(owner, api_version=api_version, kind=kind)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": made["spec"]}
