"""Keeps aggregated cluster roles up to date: `view` gains what a role labelled `aggregate-to-view` brings."""

from http import HTTPStatus
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import name_of
from seatrial.sandbox.rules.role_aggregation import aggregated_rules
from seatrial.sandbox.work_queue import WorkQueue

_RESOURCE: Final = "clusterroles.rbac.authorization.k8s.io"


class RoleAggregationController:
    """Writes the rules of every cluster role that has an aggregation rule."""

    name = "clusterrole-aggregation-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._roles = context.informers.of(_RESOURCE)
        self._queue: WorkQueue[str] = WorkQueue(self.name)
        self._roles.add_handler(self._changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._roles.wait_synced()
        await self._queue.work(self._sync)

    def _changed(self, _old: Object | None, _new: Object | None) -> None:
        for role in self._roles.list():
            if role.get("aggregationRule"):
                self._queue.add(name_of(role))

    async def _sync(self, name: str) -> None:
        role = self._roles.get(None, name)
        if role is None or not role.get("aggregationRule"):
            return
        rules = aggregated_rules(role, self._roles.list())
        if rules == (role.get("rules") or []):
            return
        try:
            await self._api.patch(_RESOURCE, name, None, {"rules": rules})
        except ApiError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
