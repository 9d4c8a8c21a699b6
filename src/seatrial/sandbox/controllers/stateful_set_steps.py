"""One look at a StatefulSet: the pods that are missing, those that are too many, those that are of an old revision.

Everything happens in order of the pods' numbers. With OrderedReady each step waits until all pods before are available;
with Parallel scaling doesn't wait. Updates go from the highest number down, as many at once as `maxUnavailable` allows,
and stop at `partition`. A pod that is ending is never passed over: two pods of one name never run at the same time.
Behaviour: Kubernetes documentation, "StatefulSets".
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.controller_revisions import template_of
from seatrial.sandbox.controllers.deployment_sizes import scaled
from seatrial.sandbox.controllers.expectations import Expectations
from seatrial.sandbox.controllers.objects import is_finished, is_terminating, name_of, namespace_of, uid_of
from seatrial.sandbox.controllers.pod_control import pod_from_template
from seatrial.sandbox.controllers.stateful_set_claims import StatefulSetClaims
from seatrial.sandbox.controllers.stateful_set_pods import (
    first_ordinal,
    is_healthy,
    is_running_and_ready,
    lacks_identity,
    new_pod,
    ordinal_of,
    revision_of,
)
from seatrial.sandbox.event_recorder import EventRecorder
from seatrial.sandbox.informer import key_of
from seatrial.sandbox.timestamps import Clock


@dataclass(frozen=True)
class Tools:
    """What steps are taken with: the same for all StatefulSets."""

    api: Api
    events: EventRecorder
    expectations: Expectations
    claims: StatefulSetClaims
    component: str
    now: Clock


class StatefulSetSteps:
    """The steps that one look leads to.

    Args:
        tools: how to take them.
        stateful_set: whose.
        pods: those that exist.
        current: the revision that an update leads away from.
        update: the revision of the present template.
    """

    def __init__(
        self, tools: Tools, stateful_set: Object, pods: Sequence[Object], *, current: Object, update: Object
    ) -> None:
        self._tools = tools
        self._set = stateful_set
        self._current = current
        self._update = update
        first, count = first_ordinal(stateful_set), int(stateful_set["spec"].get("replicas", 1))
        self._wanted = range(first, first + count)
        self._pods: Mapping[int, Object] = {ordinal_of(pod): pod for pod in pods}
        beyond = [pod for pod in pods if ordinal_of(pod) not in self._wanted]
        self._condemned = sorted(beyond, key=ordinal_of, reverse=True)
        self._in_order: bool = stateful_set["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        self._strategy: Object = stateful_set["spec"].get("updateStrategy") or {}

    async def take(self) -> int:
        """Do what can be done at once; answers how many pods were deleted to be made anew.

        Raises:
            ApiError: a step was refused.
        """
        if await self._each(self._wanted, self._keep):
            return 0
        for pod in self._condemned:
            await self._tools.claims.set_owners(self._set, pod, is_condemned=True)
        if await self._each(range(len(self._condemned)), self._scale_down):
            return 0
        if self._strategy.get("type", "RollingUpdate") == "OnDelete":
            return 0
        return await self._renew()

    async def _each(self, numbers: Sequence[int], step: Callable[[int], Awaitable[bool]]) -> bool:
        """Take a step for each number; True if one of them says that the rest has to wait."""
        if self._in_order:
            for number in numbers:
                if await step(number):
                    return True
            return False
        blocked, done, batch = False, 0, 1
        while done < len(numbers):
            some = numbers[done : done + batch]
            outcomes = await asyncio.gather(*map(step, some), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
                blocked |= outcome
            done, batch = done + len(some), batch * 2
        return blocked

    async def _keep(self, ordinal: int) -> bool:
        pod = self._pods.get(ordinal)
        if pod is None:
            return await self._make(ordinal)
        if is_finished(pod):
            if not is_terminating(pod):
                await self._delete(pod)
            return True
        if pod["status"].get("phase") == "Pending":
            await self._tools.claims.create_missing(self._set, ordinal)
        if self._in_order and not self._is_healthy(pod):
            return True
        await self._make_itself(pod)
        return False

    async def _make(self, ordinal: int) -> bool:
        claims = self._tools.claims
        if claims.is_stale(self._set, ordinal):
            return True
        await claims.create_missing(self._set, ordinal)
        revision = self._revision_for(ordinal)
        blank = pod_from_template(self._set, template_of(revision), api_version="apps/v1", kind="StatefulSet")
        await self._create(new_pod(blank, self._set, ordinal=ordinal, revision=name_of(revision)))
        return self._in_order

    def _revision_for(self, ordinal: int) -> Object:
        return self._current if ordinal < self._lowest_to_update() and self._is_rolling() else self._update

    def _is_rolling(self) -> bool:
        return bool(self._strategy.get("type", "RollingUpdate") == "RollingUpdate")

    def _lowest_to_update(self) -> int:
        return self._wanted.start + int((self._strategy.get("rollingUpdate") or {}).get("partition", 0))

    async def _make_itself(self, pod: Object) -> None:
        labels = lacks_identity(pod)
        if labels and not is_terminating(pod):
            patch = {"metadata": {"uid": uid_of(pod), "labels": labels}}
            await self._tools.api.patch("pods", name_of(pod), namespace_of(pod), patch)
        await self._tools.claims.set_owners(self._set, pod, is_condemned=False)

    async def _scale_down(self, index: int) -> bool:
        pod = self._condemned[index]
        if is_terminating(pod):
            return self._in_order
        if self._in_order and not self._may_go(pod):
            return True
        await self._delete(pod)
        return True

    def _may_go(self, pod: Object) -> bool:
        """Whether a pod may be scaled away: it is well, or it is the first one that isn't."""
        if is_running_and_ready(pod) and self._is_healthy(pod):
            return True
        ailing = [each for each in reversed(self._condemned) if not self._is_healthy(each)]
        wanted_are_well = all(
            (each := self._pods.get(ordinal)) is not None and self._is_healthy(each) for ordinal in self._wanted
        )
        return wanted_are_well and ailing[0] is pod

    async def _renew(self) -> int:
        """Delete pods of old revisions, the highest number first, while enough others are available."""
        replicas = [self._pods[ordinal] for ordinal in self._wanted if ordinal in self._pods]
        unavailable = len(self._wanted) - sum(self._is_healthy(pod) for pod in replicas)
        room, deleted = self._max_unavailable() - unavailable, 0
        for pod in reversed(replicas):
            if ordinal_of(pod) < self._lowest_to_update():
                break
            if revision_of(pod) == name_of(self._update) or is_terminating(pod):
                continue
            if self._is_healthy(pod):
                if room <= 0:
                    break
                room -= 1
            await self._delete(pod)
            deleted += 1
        return deleted

    def _max_unavailable(self) -> int:
        asked = (self._strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
        return max(1, scaled(asked, len(self._wanted), round_up=True))

    def _is_healthy(self, pod: Object) -> bool:
        return is_healthy(pod, self._set, self._tools.now)

    async def _create(self, pod: Object) -> None:
        key = key_of(self._set)
        self._tools.expectations.expect_creations(key, 1)
        subject = f"Create Pod {name_of(pod)} in StatefulSet {name_of(self._set)}"
        try:
            await self._tools.api.create("pods", pod, namespace_of(self._set))
        except ApiError as error:
            self._tools.expectations.creation_observed(key)
            if error.reason != "AlreadyExists" and "NamespaceTerminating" not in str(error.status):
                self._tell("FailedCreate", f"{subject} failed error: {error}", kind="Warning")
            raise
        self._tell("SuccessfulCreate", f"{subject} successful")

    async def _delete(self, pod: Object) -> None:
        key = key_of(self._set)
        self._tools.expectations.expect_deletion(key, uid_of(pod))
        subject = f"Delete Pod {name_of(pod)} in StatefulSet {name_of(self._set)}"
        try:
            await self._tools.api.delete("pods", name_of(pod), namespace_of(pod), uid=uid_of(pod))
        except ApiError as error:
            self._tools.expectations.deletion_observed(key, uid_of(pod))
            if error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                return  # gone already, perhaps with another of its name in its place
            self._tell("FailedDelete", f"{subject} failed error: {error}", kind="Warning")
            raise
        self._tell("SuccessfulDelete", f"{subject} successful")

    def _tell(self, reason: str, message: str, *, kind: str = "Normal") -> None:
        about = {**self._set, "apiVersion": "apps/v1", "kind": "StatefulSet"}
        self._tools.events.record(self._tools.component, about, reason, message, kind=kind)
