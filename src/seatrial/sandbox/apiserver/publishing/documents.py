"""Answers about the server itself: discovery, OpenAPI, health, version, keys; everything that is no resource.

The contents come from `discovery`, `openapi` and `health`; here they get their paths, forms and caching headers.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass

from aiohttp import web

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.access.tokens import TokenSigner
from seatrial.sandbox.apiserver.negotiation import PLAIN, encode, negotiate, wants_aggregated
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.publishing import discovery, health, openapi, openapi_protobuf, server_texts

_UNCACHED = {"Cache-Control": "no-cache, private"}
_OPENAPI = "/openapi/v3"


@dataclass(frozen=True, slots=True)
class Documents:
    """Answers requests for paths that are no resources.

    Args:
        address: where clients reach the server, `host:port`.
    """

    operations: Operations
    signer: TokenSigner
    address: str

    def answer(self, request: web.BaseRequest) -> web.Response:
        """The document of a path; 404 in plain text for none."""
        path = request.path.rstrip("/") or "/"
        if health.root_of(path) is not None:
            return _health(request, path)
        if path == "/openapi/v2":
            return self._swagger(request)
        if path == _OPENAPI or path.startswith(f"{_OPENAPI}/"):
            return self._openapi(request, path)
        if path in ("/api", "/apis"):
            return self._groups(request, path)
        if path in server_texts.PATHS and request.method == "GET":
            return web.Response(text=server_texts.text_of(path, self.operations), headers=_UNCACHED)
        body = self._document(path)
        if body is None:
            return page_not_found()
        if request.method != "GET":
            raise statuses.method_not_allowed()
        # What has no kind is JSON for everybody.
        form = negotiate(request.headers.get("Accept", "")) if "kind" in body else PLAIN
        return web.Response(body=encode(body, form), headers={**_UNCACHED, "Content-Type": form.content_type})

    def _document(self, path: str) -> Object | None:
        registry = self.operations.registry
        fixed = {
            "/version": lambda: discovery.VERSION,
            "/": lambda: discovery.root_paths(registry),
            "/.well-known/openid-configuration": self.signer.configuration,
            "/openid/v1/jwks": self.signer.keys,
        }
        if path in fixed:
            return fixed[path]()
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            return _known(discovery.resource_list(registry, "", parts[1]))
        if parts[0] == "apis" and len(parts) == 2:
            return discovery.group(registry, parts[1])
        if parts[0] == "apis" and len(parts) == 3 and parts[1] in registry.groups():
            return _known(discovery.resource_list(registry, parts[1], parts[2]))
        return None

    def _groups(self, request: web.BaseRequest, path: str) -> web.Response:
        """`/api` and `/apis`: the aggregated document for those who ask for it, else the legacy lists."""
        if request.method != "GET":
            raise statuses.method_not_allowed()
        accept = request.headers.get("Accept", "")
        wanted = wants_aggregated(accept)
        registry = self.operations.registry
        if wanted is None:
            kinds = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
            text = f"only the following media types are accepted: {kinds}"
            raise statuses.failure(406, "NotAcceptable", text)
        if wanted:
            data = encode(discovery.aggregated(registry, core=path == "/api"), PLAIN)
            headers = {"Content-Type": discovery.AGGREGATED, "Vary": "Accept", "Cache-Control": "public"}
            return _tagged(request, data, hashlib.sha512(data).hexdigest().upper(), headers)
        lists = path == "/apis"
        body = discovery.group_list(registry) if lists else discovery.core_versions(self.address)
        form = negotiate(accept)
        return web.Response(body=encode(body, form), headers={**_UNCACHED, "Content-Type": form.content_type})

    # OpenAPI.

    def _swagger(self, request: web.BaseRequest) -> web.Response:
        registry = self.operations.registry
        digest = openapi.digest(registry)
        if openapi_protobuf.MEDIA_TYPE in request.headers.get("Accept", ""):
            content_type = openapi_protobuf.CONTENT_TYPE
        else:
            content_type = "application/json"
        headers = {**_UNCACHED, "Content-Type": content_type, "Vary": "Accept-Encoding, Accept"}
        if _is_known(request, digest):
            return _tagged(request, b"", digest, headers)
        document = openapi.swagger(registry)
        as_json = content_type == "application/json"
        data = encode(document, PLAIN) if as_json else openapi_protobuf.encode_document(document)
        return _tagged(request, data, digest, headers)

    def _openapi(self, request: web.BaseRequest, path: str) -> web.Response:
        """The index, or a document: cached for good by those who name its hash."""
        registry = self.operations.registry
        if path == _OPENAPI:
            data = encode(openapi.index(registry), PLAIN)
            return web.Response(body=data, headers={**_UNCACHED, "Content-Type": "text/plain; charset=utf-8"})
        name = path.removeprefix(f"{_OPENAPI}/")
        if name not in openapi.paths(registry):
            return _Bare(status=404, headers=_UNCACHED)
        digest = openapi.digest(registry, name)
        headers = {**_UNCACHED, "Content-Type": "application/json", "Vary": "Accept"}
        wanted = request.query.get("hash")
        if wanted and wanted != digest:
            return web.Response(status=301, headers={"Location": openapi.location(registry, name), **_UNCACHED})
        if wanted:
            expires = dt.datetime.now(dt.UTC) + dt.timedelta(days=365)
            headers |= {"Cache-Control": "public, immutable", "Expires": expires.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        data = b"" if _is_known(request, digest) else encode(openapi.document(registry, name), PLAIN)
        return _tagged(request, data, digest, headers)


class _Bare(web.Response):
    """An answer of headers alone, without even a Content-Type."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Content-Type", None)


def _known(body: Object | None) -> Object:
    if body is None:
        raise statuses.no_such_resource()
    return body


def _is_known(request: web.BaseRequest, digest: str) -> bool:
    """Whether the client holds this version of the document."""
    tags = request.headers.get("If-None-Match", "").split(",")
    return any(tag.strip().removeprefix("W/") in (f'"{digest}"', "*") for tag in tags)


def _tagged(request: web.BaseRequest, data: bytes, digest: str, headers: dict[str, str]) -> web.Response:
    """A document with its Etag, or 304."""
    found = {**headers, "Etag": f'"{digest}"'}
    if _is_known(request, digest):
        del found["Content-Type"]
        return web.Response(status=304, headers=found)
    return web.Response(body=data, headers=found)


def _health(request: web.BaseRequest, path: str) -> web.Response:
    query = {name: request.query.getall(name) for name in request.query}
    text = health.report(path, query)
    if text is None:
        return page_not_found()
    return web.Response(text=text, headers={**_UNCACHED, "X-Content-Type-Options": "nosniff"})


def page_not_found() -> web.Response:
    """404 in plain text: nothing is served under this path."""
    return web.Response(status=404, text="404 page not found\n", headers=_UNCACHED)
