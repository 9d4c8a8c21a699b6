"""The Kubernetes client: `connect()` finds the cluster, `Client` has a method for each verb of the API.

Thin on purpose: it knows paths, options and errors, and decodes straight into the partial structures of `objects`.
Everything about sending stands in `transport`, about lists in `listing`, about following changes in `watch`, about
finding kinds in `discovery`.
"""

import enum
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import msgspec

from seatrial.kube import access_review, errors
from seatrial.kube.access import find_access
from seatrial.kube.auth import log_in_if_asked, proxy_for
from seatrial.kube.discovery import Discovery
from seatrial.kube.kubeconfig import kubeconfig_files
from seatrial.kube.listing import ObjectList, Selection, list_objects, object_decoder
from seatrial.kube.objects import PartialObject, Scale
from seatrial.kube.pod_subresources import PodSubresources
from seatrial.kube.resources import Resource
from seatrial.kube.rotation import followed_credentials
from seatrial.kube.transport import Answer, Params, Transport, decoded
from seatrial.kube.watch import Watch

__all__ = ["Client", "ObjectList", "PatchType", "Propagation", "connect"]

T = TypeVar("T")
Object = dict[str, Any]
Propagation = Literal["Background", "Foreground", "Orphan"]


class PatchType(enum.Enum):
    """How a patch's body is meant; the value is its media type."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


async def connect(
    *,
    kubeconfig: Path | str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    max_in_flight: int = 100,
    timeout_seconds: float = 30.0,
    environ: Mapping[str, str] = os.environ,
) -> "Client":
    """Find the cluster (flag, KUBECONFIG, ~/.kube/config, in-cluster account) and make a client of it.

    Nothing is sent yet: an unreachable server shows at the first call. A login program that may ask questions is
    run here.

    Raises:
        CredentialsError: the login program failed.
        ConfigurationError: there is no cluster to be found, or what was found can't be used.
    """
    access = find_access(kubeconfig=kubeconfig, context=context, environ=environ)
    files, _ = kubeconfig_files(kubeconfig, environ)
    credentials = followed_credentials(access, kubeconfig=kubeconfig, environ=environ)
    await log_in_if_asked(access, credentials)
    transport = Transport(
        access.cluster.server,
        credentials,
        tls_server_name=access.cluster.tls_server_name or None,
        proxy_url=proxy_for(access.cluster),
        max_in_flight=max_in_flight,
        timeout_seconds=timeout_seconds,
        compress=not access.cluster.disable_compression,
    )
    return Client(
        transport,
        context_name=access.context_name,
        cluster_name=access.cluster_name,
        default_namespace=namespace or access.namespace,
        kubeconfig=os.pathsep.join(str(path) for path in files),
    )


class Client(PodSubresources):
    """One cluster. Use with `async with`, or `await close()`.

    A method that names an object takes `namespace=None` as `default_namespace`; `list`, `watch` and `can_i` take it
    as all namespaces. `type` is what answers are decoded to: a structure of `objects`, or plain dictionaries.
    Every method raises errors of `kube.errors`.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        context_name: str = "",
        cluster_name: str = "",
        default_namespace: str = "default",
        kubeconfig: str = "",
    ) -> None:
        """`kubeconfig` has the files that led here, as the variable KUBECONFIG would name them.

        `context_name` and `cluster_name` are what a context and its cluster are called there.
        """
        self.context_name = context_name
        self.cluster_name = cluster_name
        self.default_namespace = default_namespace
        self.kubeconfig = kubeconfig
        self._transport = transport
        self._discovery = Discovery(transport)

    def __repr__(self) -> str:
        return f"Client({self.server!r}, context_name={self.context_name!r})"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._transport.server

    def through(self, proxy_url: str) -> "Client":
        """A client of the same cluster as the same user whose requests go by way of an HTTP proxy; to be closed."""
        return Client(
            self._transport.through(proxy_url),
            context_name=self.context_name,
            cluster_name=self.cluster_name,
            default_namespace=self.default_namespace,
            kubeconfig=self.kubeconfig,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # Reading

    @overload
    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Object: ...
    @overload
    async def get(self, resource: Resource, name: str, *, namespace: str | None = None, type: type[T]) -> T: ...
    async def get(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        type: Any = Object,  # noqa: A002 -- what it is called everywhere
    ) -> Any:
        """Read one object."""
        answer = await self._transport.request("GET", self._path(resource, name, namespace))
        return decoded(object_decoder(type), answer.body)

    @overload
    def watch(
        self, resource: Resource, *, namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> Watch[Object]: ...
    @overload
    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: Literal[True],
    ) -> Watch[PartialObject]: ...
    @overload
    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        type: type[T],
        metadata_only: bool = False,
    ) -> Watch[T]: ...
    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        type: Any = None,  # noqa: A002 -- what it is called everywhere
        metadata_only: bool = False,
    ) -> Any:
        """Follow the changes of a resource; see `Watch`."""
        selection = Selection(resource.path(namespace), label_selector, field_selector, metadata_only)
        return Watch(self._transport, selection, type or _default_type(metadata_only=metadata_only))

    @overload
    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = 500,
        resource_version: str | None = None,
    ) -> ObjectList[Object]: ...
    @overload
    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: Literal[True],
        page_size: int = 500,
        resource_version: str | None = None,
    ) -> ObjectList[PartialObject]: ...
    @overload
    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        type: type[T],
        metadata_only: bool = False,
        page_size: int = 500,
        resource_version: str | None = None,
    ) -> ObjectList[T]: ...
    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        type: Any = None,  # noqa: A002 -- what it is called everywhere
        metadata_only: bool = False,
        page_size: int = 500,
        resource_version: str | None = None,
    ) -> Any:
        """Read all objects of a resource, of one namespace or (None) of all; pages underneath."""
        selection = Selection(resource.path(namespace), label_selector, field_selector, metadata_only)
        object_type = type or _default_type(metadata_only=metadata_only)
        return await list_objects(
            self._transport, selection, object_type, page_size=page_size, resource_version=resource_version
        )

    # Writing

    async def create(
        self, resource: Resource, body: Mapping[str, Any], *, namespace: str | None = None, dry_run: bool = False,
        field_manager: str | None = None, strict: bool = False, repeatable: bool = False,
    ) -> Object:  # fmt: skip
        """Create an object; `metadata.generateName` works. `strict` refuses fields that its kind doesn't have.

        Not sent again when it is unknown what became of it, unless it is `repeatable`: `AlreadyExists` may then mean
        that the first sending worked, and the caller has to know its own object.
        """
        path = resource.path(self._namespace(resource, body, namespace))
        validation = "Strict" if strict else None
        params = _options(dry_run=dry_run, fieldManager=field_manager, fieldValidation=validation)
        return await self._send("POST", path, body, params=params, repeatable=dry_run or repeatable)

    async def replace(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Replace an object as a whole; with a resourceVersion in it a changed one is a `Conflict`."""
        meta = body["metadata"]
        path = resource.path(self._namespace(resource, body, namespace), meta["name"], subresource)
        repeatable = dry_run or "resourceVersion" not in meta
        return await self._send("PUT", path, body, params=_options(dry_run=dry_run), repeatable=repeatable)

    async def patch(  # noqa: PLR0913 -- as many options as a PATCH has
        self,
        resource: Resource,
        name: str,
        body: Any,
        *,
        namespace: str | None = None,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Change some of an object's fields; `force` takes fields over from others, for APPLY only."""
        params = _options(dry_run=dry_run, fieldManager=field_manager, force=True if force else None)
        return await self._send(
            "PATCH",
            self._path(resource, name, namespace, subresource),
            body,
            params=params,
            headers={"Content-Type": patch_type.value},
            repeatable=dry_run or _is_idempotent(patch_type, body),
        )

    async def apply(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        namespace: str | None = None,
        field_manager: str = "seatrial",
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply: create the object or bring its fields to this; a `Conflict` names fields of others."""
        return await self.patch(
            resource,
            body["metadata"]["name"],
            body,
            namespace=self._namespace(resource, body, namespace),
            patch_type=PatchType.APPLY,
            field_manager=field_manager,
            force=force,
            dry_run=dry_run,
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: Propagation | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Delete an object, or begin its graceful deletion.

        With `uid` it is this very object or a `Conflict`, and the request may be sent again; where that finds
        the object gone, the first one worked, and the answer is empty.
        """
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {key: value for key, value in preconditions.items() if value} or None,
            "gracePeriodSeconds": grace_period_seconds,
            "propagationPolicy": propagation_policy,
            "dryRun": ["All"] if dry_run else None,
        }
        body = {key: value for key, value in options.items() if value is not None}
        path = self._path(resource, name, namespace)
        try:
            return await self._send("DELETE", path, body, repeatable=bool(uid) or dry_run)
        except (errors.NotFound, errors.Conflict) as error:
            if uid and not resource_version and error.after_repeat:
                return {}
            raise

    async def get_scale(self, resource: Resource, name: str, *, namespace: str | None = None) -> Scale:
        """Read how many replicas there should be and are."""
        answer = await self._transport.request("GET", self._path(resource, name, namespace, "scale"))
        found: Scale = decoded(object_decoder(Scale), answer.body)
        return found

    async def scale(self, resource: Resource, name: str, *, namespace: str | None = None, replicas: int) -> None:
        """Say how many replicas there should be."""
        body = {"spec": {"replicas": replicas}}
        await self.patch(resource, name, body, namespace=namespace, subresource="scale")

    # Asking

    async def discover(self, text: str) -> Resource:
        """The resource that `deployments`, `deployments.apps`, `Deployment`, `deploy` ... means.

        Raises:
            UnknownKindError: there is none.
        """
        return await self._discovery.find(text)

    async def resource_for(self, api_version: str, kind: str) -> Resource:
        """The resource of a manifest's `apiVersion` and `kind`.

        Raises:
            UnknownKindError: there is none.
        """
        return await self._discovery.for_kind(api_version, kind)

    async def deletable_resources(self) -> tuple[Resource, ...]:
        """Every kind of object on the cluster that can be listed and deleted."""
        return await self._discovery.deletable()

    async def can_i(
        self,
        verb: str,
        resource: Resource,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> bool:
        """Whether we may; `namespace=None` asks for all namespaces."""
        return await access_review.may(
            self._transport, verb, resource, namespace=namespace, name=name, subresource=subresource
        )

    async def whoami(self) -> str:
        """The name under which the API server knows us; empty where it can't say."""
        return await access_review.user_name(self._transport)

    async def version(self) -> str:
        """The API server's version, such as v1.36.2."""
        answer = await self._transport.request("GET", "/version")
        found: _Version = decoded(object_decoder(_Version), answer.body)
        return found.git_version

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        """Send anything, once, and hand back whatever is answered, also a 404 or 500.

        For what the API server passes on: the proxies of services, pods and nodes. Of the body `most_bytes` are kept.
        """
        return await self._transport.request_once(
            method, path, params=params, body=body, headers=headers, timeout_seconds=timeout_seconds,
            most_bytes=most_bytes,
        )  # fmt: skip

    async def request_json(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        repeatable: bool | None = None,
        timeout_seconds: float | None = None,
    ) -> Any:
        """Send JSON to any path and read the JSON of the answer, for what is no object of the API.

        `repeatable` tells whether it may be sent again when it is not known what became of it; None: only reading may.
        """
        content = None if body is None else msgspec.json.encode(body)
        answer = await self._transport.request(
            method, path, body=content, repeatable=repeatable, timeout_seconds=timeout_seconds
        )
        return answer.json()

    async def _send(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool,
    ) -> Object:
        answer = await self._transport.request(
            method, path, params=params, body=msgspec.json.encode(body), headers=headers, repeatable=repeatable
        )
        return decoded(object_decoder(Object), answer.body)

    def _path(self, resource: Resource, name: str, namespace: str | None, subresource: str | None = None) -> str:
        return resource.path(namespace or self.default_namespace, name, subresource)

    def _namespace(self, resource: Resource, body: Mapping[str, Any], namespace: str | None) -> str | None:
        """Where an object goes: what the caller says, what the object says, the default."""
        if not resource.namespaced:
            return None
        return namespace or body.get("metadata", {}).get("namespace") or self.default_namespace


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    git_version: str = ""


def _default_type(*, metadata_only: bool) -> Any:
    return PartialObject if metadata_only else Object


def _options(*, dry_run: bool, **others: str | bool | None) -> Params:
    return {"dryRun": "All" if dry_run else None, **others}


def _is_idempotent(patch_type: PatchType, body: Any) -> bool:
    """Whether a patch may be sent twice: an apply, and a merge that doesn't ask for a version."""
    if patch_type is PatchType.MERGE:
        return "resourceVersion" not in (body.get("metadata") or {})
    return patch_type is PatchType.APPLY
