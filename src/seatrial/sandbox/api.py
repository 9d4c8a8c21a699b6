"""The Kubernetes API as the sandbox's own parts see it.

Controllers, scheduler, service proxy and kubelets are written against `Api` alone. Two things implement it:
`apiserver.local.LocalApi` (in the API server's process, no HTTP) and `kubelet.remote_api.RemoteApi` (HTTPS, for the
machines' processes). So each part can be stopped, slowed or cut off by itself, as in a real cluster.

A *resource* is named as in RBAC and discovery: `pods`, `deployments.apps`, `endpointslices.discovery.k8s.io`.

Objects are plain JSON dictionaries. Those handed out are shared with the store and all other readers: never
change one in place; build a changed copy and send it back.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

Object = dict[str, Any]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


class ApiError(Exception):
    """An answer that isn't a success: holds the Kubernetes `Status` object, and the headers that go with it."""

    def __init__(self, status: Object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.headers = headers or {}

    @property
    def code(self) -> int:
        """The HTTP status code."""
        return int(self.status["code"])

    @property
    def reason(self) -> str:
        """The machine-readable reason, such as `NotFound` or `Conflict`."""
        return str(self.status.get("reason", ""))


class ObjectList(NamedTuple):
    """What a list call answers."""

    items: list[Object]
    resource_version: str


class WatchEvent(NamedTuple):
    """One change, in the order in which the store made them."""

    type: EventType
    object: Object


class Api(Protocol):
    """What a component may ask of the API server. Every method raises `ApiError`."""

    async def get(self, resource: str, name: str, namespace: str | None = None) -> Object:
        """Read one object."""
        ...

    async def list(
        self, resource: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjectList:
        """Read all objects of a resource, of one namespace or (None) of all."""
        ...

    async def create(self, resource: str, body: Object, namespace: str | None = None) -> Object:
        """Create an object; `metadata.generateName` works."""
        ...

    async def replace(self, resource: str, body: Object, *, subresource: str | None = None) -> Object:
        """PUT: name, namespace and resourceVersion (409 when stale) stand in the body's metadata."""
        ...

    async def patch(
        self, resource: str, name: str, namespace: str | None, patch: Object, *, subresource: str | None = None
    ) -> Object:
        """JSON merge patch (RFC 7386)."""
        ...

    async def delete(
        self,
        resource: str,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
    ) -> None:
        """Delete an object, or begin its graceful deletion; `uid` is a precondition (409)."""
        ...

    def watch(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Follow changes after `resource_version`; ends when the server closes it, raises 410 when it is too old."""
        ...
