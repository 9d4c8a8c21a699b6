"""The Kubernetes API over HTTPS, for the sandbox's parts that are not in the API server's process.

Implements `sandbox.api.Api` for the kubelet, with its client certificate. It is a client of its own, not the
tool's: the sandbox shares nothing with the tool.
"""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import msgspec

from seatrial.sandbox.api import ApiError, Object, ObjectList, WatchEvent

_MERGE_PATCH: Final = "application/merge-patch+json"
_JSON: Final = "application/json"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
# The server ends a watch after this long, so that a connection that died unnoticed doesn't live for ever.
_WATCH_SECONDS: Final = 600
_WATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=_WATCH_SECONDS + 30, sock_connect=10)
_MOST_CONNECTIONS: Final = 32
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def resource_path(resource: str, namespace: str | None, name: str | None = None) -> str:
    """The URL path of a resource named as in RBAC; all that the sandbox has are of version v1.

    A subresource is created with its parent's name: `serviceaccounts/token` of NAME is
    `serviceaccounts/NAME/token`.

    >>> resource_path("leases.coordination.k8s.io", "kube-node-lease", "node1")
    '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1'
    """
    full, _, subresource = resource.partition("/")
    plural, _, group = full.partition(".")
    parts = [f"/apis/{group}/v1" if group else "/api/v1"]
    if namespace is not None:
        parts.append(f"namespaces/{namespace}")
    parts.append(plural)
    parts += [part for part in (name, subresource) if part]
    return "/".join(parts)


class RemoteApi:
    """`sandbox.api.Api` over HTTPS; used as an async context manager.

    Args:
        server: https URL.
        ca_file: certifies the server.
        cert_file: the client's certificate.
        key_file: its key.
        user_agent: shows in audit logs and managed fields.
    """

    def __init__(self, server: str, *, ca_file: Path, cert_file: Path, key_file: Path, user_agent: str) -> None:
        self._server = server.rstrip("/")
        self._ssl = ssl.create_default_context(cafile=str(ca_file))
        self._ssl.load_cert_chain(str(cert_file), str(key_file))
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._ssl, limit=_MOST_CONNECTIONS),
            headers={"User-Agent": self._user_agent, "Accept": _JSON},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_TIMEOUT,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, resource: str, name: str, namespace: str | None = None) -> Object:
        """Read one object."""
        return await self._call("GET", resource_path(resource, namespace, name))

    async def list(
        self, resource: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjectList:
        """Read all objects, page by page."""
        items: list[Object] = []
        token = ""
        while True:
            query = _query(
                labelSelector=label_selector, fieldSelector=field_selector, limit="500", **{"continue": token}
            )
            page = await self._call("GET", resource_path(resource, namespace), query=query)
            items += page.get("items") or []
            token = page["metadata"].get("continue", "")
            if not token:
                return ObjectList(items, page["metadata"].get("resourceVersion", ""))

    async def create(self, resource: str, body: Object, namespace: str | None = None) -> Object:
        """Create an object, or a subresource of the object that `metadata.name` names."""
        name = body["metadata"]["name"] if "/" in resource else None
        return await self._call("POST", resource_path(resource, namespace, name), body=body)

    async def replace(self, resource: str, body: Object, *, subresource: str | None = None) -> Object:
        """PUT an object."""
        metadata = body["metadata"]
        full = f"{resource}/{subresource}" if subresource else resource
        return await self._call("PUT", resource_path(full, metadata.get("namespace"), metadata["name"]), body=body)

    async def patch(
        self, resource: str, name: str, namespace: str | None, patch: Object, *, subresource: str | None = None
    ) -> Object:
        """JSON merge patch."""
        full = f"{resource}/{subresource}" if subresource else resource
        return await self._call("PATCH", resource_path(full, namespace, name), body=patch, content_type=_MERGE_PATCH)

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
        """Delete an object."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if propagation_policy is not None:
            options["propagationPolicy"] = propagation_policy
        await self._call("DELETE", resource_path(resource, namespace, name), body=options)

    async def watch(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Follow changes until the server ends the watch."""
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            timeoutSeconds=str(_WATCH_SECONDS),
            resourceVersion=resource_version,
            labelSelector=label_selector,
            fieldSelector=field_selector,
        )
        url = self._server + resource_path(resource, namespace)
        try:
            async with self._client.get(url, params=query, timeout=_WATCH_TIMEOUT) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read())
                # Not by readline(): its limit is far below the size that an object may have.
                rest = bytearray()
                async for chunk in response.content.iter_any():
                    rest += chunk
                    while (end := rest.find(b"\n")) >= 0:
                        line = bytes(rest[:end])
                        del rest[: end + 1]
                        yield _event(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from error

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("RemoteApi is used inside `async with`")
        return self._session

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = _JSON,
    ) -> Object:
        data = None if body is None else _encode(body)
        headers = {"Content-Type": content_type} if data is not None else None
        try:
            async with self._client.request(
                method, self._server + path, params=query, data=data, headers=headers
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from error
        if response.status >= 400:
            raise _error(response.status, content)
        answer: Object = _decode(content)
        return answer


def _query(**parameters: str) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value}


def _event(line: bytes) -> WatchEvent:
    event: dict[str, Any] = _decode(line)
    if event["type"] == "ERROR":
        raise ApiError(event["object"])
    return WatchEvent(event["type"], event["object"])


def _error(code: int, content: bytes) -> ApiError:
    try:
        status = json.loads(content)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = _status(code, "", content.decode(errors="replace")[:200])
    return ApiError({"code": code, **status})


def _unreachable(error: BaseException) -> ApiError:
    return ApiError(_status(503, "ServiceUnavailable", str(error) or type(error).__name__))


def _status(code: int, reason: str, message: str) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }
