"""Stands before the API server's requests: cuts off who can't reach it, disturbs, answers the control's own paths.

Who asks tells where from: a kubelet's certificate names its node, a pod's token its pod and so the node. Clients that
are neither are outside the cluster. A request from a node that is cut off waits, unanswered, until the partition is
healed or the client gives up; those that are being served when a partition begins lose their connection. Nodes are
looked up only while something is parted: every request passes here.
"""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.control.control_api import PREFIX, ControlApi
from seatrial.sandbox.control.disturber import Disturber
from seatrial.sandbox.control.partitions import Partitions

_NODE: Final = "system:node:"
_ACCOUNT: Final = "system:serviceaccount:"
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"

NodeOfPod = Callable[[str, str], str]


class Doorman:
    """Implements `apiserver.server.Doorman`.

    Args:
        control: answers the control's own paths.
        partitions: who can't reach the control plane.
        disturber: what requests suffer.
        node_of_pod: the node of a pod, by namespace and name; empty if there is none.
    """

    def __init__(
        self, control: ControlApi, *, partitions: Partitions, disturber: Disturber, node_of_pod: NodeOfPod
    ) -> None:
        self._control = control
        self._partitions = partitions
        self._disturber = disturber
        self._node_of_pod = node_of_pod
        self._inside: dict[int, tuple[web.BaseRequest, User]] = {}
        partitions.on_change(self._cut_off)

    async def admit(self, request: web.BaseRequest, user: User) -> None:
        """Let a request in, sooner or later; raises `ApiError` for one that is to fail."""
        if user.name.startswith(_NODE) or _POD_NAME in user.extra:
            if self._partitions.is_anything_cut:
                await self._partitions.passage_to_control_plane(self._node_of(user))
            self._inside[id(request)] = (request, user)
        if not request.path.startswith(PREFIX):
            await self._disturber.pass_through()

    def leave(self, request: web.BaseRequest) -> None:
        """A request that was let in is done."""
        self._inside.pop(id(request), None)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """The answer to a request for the control; None for all others."""
        return await self._control.handle(request) if request.path.startswith(PREFIX) else None

    def _node_of(self, user: User) -> str:
        """The node that a request comes from; empty where it comes from none."""
        if user.name.startswith(_NODE):
            return user.name.removeprefix(_NODE)
        pod = user.extra.get(_POD_NAME)
        if not (pod and user.name.startswith(_ACCOUNT)):
            return ""
        return self._node_of_pod(user.name.split(":")[2], pod[0])

    def _cut_off(self) -> None:
        if not self._partitions.is_anything_cut:
            return
        for request, user in list(self._inside.values()):
            if self._partitions.is_cut_off(self._node_of(user)) and request.transport is not None:
                request.transport.abort()
