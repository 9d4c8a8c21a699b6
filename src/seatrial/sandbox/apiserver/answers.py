"""Shapes answers about resources: plain objects and lists, Tables, PartialObjectMetadata, warnings, headers.

What is answered comes from `resource_handler`; the form the client asked for from `negotiation`; the rows of a Table
from `printers`. Watches shape their events in `watch_stream`.
"""

import re
from collections.abc import Iterable

from aiohttp import web
from multidict import CIMultiDict

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.conversion import from_stored, is_converted
from seatrial.sandbox.apiserver.free_memory import SlicedResponse
from seatrial.sandbox.apiserver.lists import Page
from seatrial.sandbox.apiserver.negotiation import Form, encode
from seatrial.sandbox.apiserver.printers.table import check_include, partial, table
from seatrial.sandbox.apiserver.request_info import is_true
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.watch_stream import whole


def object_answer(
    request: web.BaseRequest,
    resource: Resource,
    obj: Object,
    form: Form,
    *,
    status: int = 200,
    call: Call | None = None,
) -> web.Response:
    """One object in the form that was asked for, with the warnings that came up."""
    if form.transform == "PartialObjectMetadataList":
        text = f"you requested PartialObjectMetadataList, but the requested object is not a list (*core.{obj['kind']})"
        raise statuses.failure(406, "NotAcceptable", text)
    body = obj
    if form.transform and obj.get("kind") != "Status":
        if form.transform == "Table":
            include = request.query.get("includeObject", "")
            check_include(include)
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            body = table(resource, [obj], metadata, include=include, version=form.version)
        else:
            body = partial(obj, version=form.version)
    data = encode(body, form, pretty=_is_pretty(request))
    return _response(status, data, form.content_type, _warnings(resource, call.warnings if call else ()))


def encoded_answer(resource: Resource, data: bytes) -> web.Response:
    """An object that is kept as JSON, as it is."""
    return _response(200, data, "application/json", _warnings(resource, ()))


def list_answer(request: web.BaseRequest, resource: Resource, page: Page, form: Form) -> web.Response:
    """A list in the form that was asked for; a plain one is put together from what is stored encoded."""
    kind = resource.list_kind
    if form.transform == "PartialObjectMetadata":
        text = f"you requested PartialObjectMetadata, but the requested object is a list (*core.{kind})"
        raise statuses.failure(406, "NotAcceptable", text)
    metadata = page.metadata if resource.custom is None else {"continue": "", **page.metadata}
    if form.transform or form.media != "json" or request.query.get("pretty") or is_converted(resource):
        stored = [record.object for record in page.records]
        # Tables are printed from the stored form, whichever version asks.
        objects = stored if form.transform == "Table" else [from_stored(resource, obj) for obj in stored]
        return _shaped_list(request, resource, objects, page.metadata if form.transform else metadata, form)
    head = encode({"kind": kind, "apiVersion": resource.api_version, "metadata": metadata}, form)
    # Items of custom resources say their kind, others don't.
    if resource.custom is not None:
        items = b",".join([whole(resource, record) for record in page.records])
    else:
        items = b",".join([record.encoded for record in page.records])
    return _response(
        200, b'%b,"items":[%b]}\n' % (head.rstrip()[:-1], items), "application/json", _warnings(resource, ())
    )


def _shaped_list(
    request: web.BaseRequest, resource: Resource, objects: list[Object], metadata: Object, form: Form
) -> web.Response:
    if form.transform == "Table":
        include = request.query.get("includeObject", "")
        check_include(include)
        body = table(resource, objects, metadata, include=include, version=form.version)
    elif form.transform:
        items = [partial(obj, version=form.version) for obj in objects] or None
        api_version = f"meta.k8s.io/{form.version}"
        body = {"kind": form.transform, "apiVersion": api_version, "metadata": metadata, "items": items}
    else:
        plain = objects
        if resource.custom is None:
            plain = [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in objects]
        kind = resource.list_kind
        body = {"kind": kind, "apiVersion": resource.api_version, "metadata": metadata, "items": plain}
    data = encode(body, form, pretty=_is_pretty(request))
    return _response(200, data, form.content_type, _warnings(resource, ()))


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _is_pretty(request: web.BaseRequest) -> bool:
    return is_true(request.query.get("pretty"))


def _warnings(resource: Resource, texts: Iterable[str]) -> list[tuple[str, str]]:
    """`Warning` headers: what came up, and what is deprecated."""
    found = [*texts]
    if resource.custom is not None and resource.custom.deprecation:
        found.append(resource.custom.deprecation)
    if resource.key == "endpoints":
        found.append("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
    # A warning with control characters has no form as a header: Kubernetes, too, leaves it out.
    return [("Warning", f'299 - "{_quoted(text)}"') for text in found if not _CONTROL.search(text)]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _response(
    status: int, data: bytes, content_type: str, headers: list[tuple[str, str]] | None = None
) -> web.Response:
    found = CIMultiDict([("Content-Type", content_type), ("Cache-Control", "no-cache, private"), *(headers or ())])
    return SlicedResponse(status=status, body=data, headers=found)
