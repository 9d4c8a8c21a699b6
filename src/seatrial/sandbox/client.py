"""A few calls to a sandbox's API server, for the commands that look at it and load it.

Deliberately small: the tool's own client (`seatrial.kube`) is no part of the sandbox, and what is needed here is
reading lists and applying manifests with the administrator's token.
"""

import base64
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
import yaml

from seatrial.errors import SandboxError

_TIMEOUT_SECONDS: Final = 30
FIELD_MANAGER: Final = "seatrial"


class ApplyError(Exception):
    """The API server refused an object: holds its reason, one line."""


class SandboxClient:
    """Talks to the API server that a kubeconfig of a sandbox leads to; an asynchronous context manager.

    Args:
        kubeconfig: the sandbox's own, with a token.
    """

    def __init__(self, kubeconfig: Path) -> None:
        try:
            document = yaml.load(kubeconfig.read_text(), yaml.CSafeLoader)
        except OSError as error:
            raise SandboxError(f"can't read {kubeconfig}: {error.strerror}") from error
        cluster = document["clusters"][0]["cluster"]
        self._server = cluster["server"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        self._token = document["users"][0]["user"]["token"]
        self._session: aiohttp.ClientSession | None = None
        self._kinds: dict[str, Mapping[str, Mapping[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls),
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Any:
        """GET a path of the API; raises `ApplyError` with the server's reason."""
        status, body = await self._call("GET", path)
        if status >= 400:
            raise ApplyError(body.get("message", f"answered {status}"))
        return body

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Any request in JSON; raises `SandboxError` with the server's reason."""
        data = None if body is None else msgspec.json.encode(body)
        status, answer = await self._call(method, path, body=data)
        if status >= 400:
            raise SandboxError(answer.get("message", f"{method} {path} was answered with {status}"))
        return answer

    async def apply(self, document: Mapping[str, Any]) -> str:
        """Server-side apply an object; answers what `kubectl apply` would print, `pod/web created`.

        Raises:
            ApplyError: the object is refused; the message says why.
        """
        api_version, kind = str(document["apiVersion"]), str(document["kind"])
        resource = (await self._kinds_of(api_version)).get(kind)
        if resource is None:
            raise ApplyError(f"there is no kind {kind!r} in {api_version}")
        metadata = document.get("metadata") or {}
        name = metadata.get("name")
        if not name:
            raise ApplyError(f"a {kind} without metadata.name can't be applied")
        namespace = f"namespaces/{metadata.get('namespace') or 'default'}/" if resource["namespaced"] else ""
        path = f"{_group_path(api_version)}/{namespace}{resource['name']}/{name}"
        status, answer = await self._call(
            "PATCH",
            f"{path}?fieldManager={FIELD_MANAGER}&force=true",
            body=msgspec.json.encode(document),
            content_type="application/apply-patch+yaml",
        )
        if status >= 400:
            raise ApplyError(answer.get("message", f"answered {status}"))
        group = api_version.partition("/")[0] if "/" in api_version else ""
        shown = f"{kind.lower()}.{group}" if group else kind.lower()
        return f"{shown}/{name} {'created' if status == 201 else 'configured'}"

    async def _kinds_of(self, api_version: str) -> Mapping[str, Mapping[str, Any]]:
        if api_version not in self._kinds:
            status, found = await self._call("GET", _group_path(api_version))
            if status >= 400:
                raise ApplyError(f"there is no API version {api_version!r}")
            resources = (each for each in found["resources"] if "/" not in each["name"])
            self._kinds[api_version] = {each["kind"]: each for each in resources}
        return self._kinds[api_version]

    async def _call(
        self, method: str, path: str, *, body: bytes | None = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        if self._session is None:
            raise RuntimeError("used outside of its context")
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if body is not None else {})
        try:
            async with self._session.request(method, self._server + path, data=body, headers=headers) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SandboxError(f"the sandbox's API server at {self._server} does not answer: {error}") from error
        try:
            return answer.status, msgspec.json.decode(content)
        except msgspec.DecodeError:
            return answer.status, {"message": content.decode(errors="replace").strip()}


def _group_path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
