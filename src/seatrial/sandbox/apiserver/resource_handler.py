"""Carries out HTTP requests about resources: reads the query and body, calls the operation, answers.

The shape of answers is in `answers`, what a patch or DeleteOptions say in `patches` and `delete_options`.
"""

from collections.abc import Callable
from typing import Any, Literal, cast

from aiohttp import web

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import deletion, statuses
from seatrial.sandbox.apiserver.access.escalation import EscalationGuard
from seatrial.sandbox.apiserver.access.reviews import Reviews
from seatrial.sandbox.apiserver.answers import encoded_answer, list_answer, object_answer
from seatrial.sandbox.apiserver.bodies import (
    CUSTOM_PATCH_TYPES,
    PATCH_TYPES,
    media_type,
    read_object,
    read_patch,
    unsupported_media,
)
from seatrial.sandbox.apiserver.calls import Call, User
from seatrial.sandbox.apiserver.conversion import from_stored, is_converted
from seatrial.sandbox.apiserver.decoding import demand_types
from seatrial.sandbox.apiserver.delete_options import delete_options
from seatrial.sandbox.apiserver.lists import Page, find, list_options
from seatrial.sandbox.apiserver.negotiation import Form, negotiate, not_acceptable
from seatrial.sandbox.apiserver.onward.connections import Connections
from seatrial.sandbox.apiserver.operations import Operations, Transform
from seatrial.sandbox.apiserver.patching.apply_request import ApplyRequests
from seatrial.sandbox.apiserver.patching.patches import check_patch_options, patcher
from seatrial.sandbox.apiserver.printers.table import check_include
from seatrial.sandbox.apiserver.protobuf.objects import is_describable
from seatrial.sandbox.apiserver.publishing.documents import page_not_found
from seatrial.sandbox.apiserver.publishing.versions import create_in_version, is_of_another_version, update_in_version
from seatrial.sandbox.apiserver.request_info import CONNECTING, RequestInfo, is_true
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.selectors import Selector
from seatrial.sandbox.apiserver.subresources import Subresources
from seatrial.sandbox.apiserver.watch_stream import WatchStream, whole

_REVIEW_GROUPS = ("authentication.k8s.io", "authorization.k8s.io")
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")


class ResourceHandler:
    """Answers requests about resources."""

    def __init__(
        self,
        operations: Operations,
        *,
        subresources: Subresources,
        reviews: Reviews,
        connections: Connections,
        guard: EscalationGuard,
    ) -> None:
        self._operations = operations
        self._subresources = subresources
        self._reviews = reviews
        self._connections = connections
        self._guard = guard
        self._applying = ApplyRequests(operations, guard)

    async def handle(self, request: web.BaseRequest, info: RequestInfo, user: User) -> web.StreamResponse:
        """Carry out one request."""
        if info.subresource not in CONNECTING and request.can_read_body:
            # Before anything is looked up: while a body arrives, definitions come and go.
            await request.read()
        resource = self._operations.registry.find(info.group, info.version, info.resource)
        if resource is None:
            if not self._operations.registry.is_built_in(info.group, info.version):
                return page_not_found()
            raise statuses.no_such_resource()
        if resource.custom is not None and not _is_addressed(resource, info):
            return page_not_found()
        verbs = resource.verbs
        if info.subresource:
            known = resource.subresource(info.subresource)
            if known is None:
                if resource.custom is not None:
                    raise statuses.not_found(resource.group, resource.plural, info.name)
                raise statuses.no_such_resource()
            verbs = known.verbs
        if info.subresource in CONNECTING:
            return await self._connect(request, info, verbs, user)
        self._check_method(request, info, resource, verbs)
        form = negotiate(request.headers.get("Accept", ""))
        actions: dict[str, Callable[..., Any]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        answer: web.StreamResponse = await actions[info.verb](request, info, resource, form, user)
        return answer

    @staticmethod
    def _check_method(request: web.BaseRequest, info: RequestInfo, resource: Resource, verbs: tuple[str, ...]) -> None:
        verb = "list" if info.verb == "watch" and "watch" not in verbs else info.verb
        allowed = verb in verbs and request.method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if info.verb == "create" and info.name and not info.subresource:
            allowed = False
        if resource.namespaced and not info.has_namespace and info.verb in ("create", "deletecollection"):
            allowed = False
        if info.verb in ("update", "patch") and not info.name:
            allowed = False
        if not allowed and resource.custom is not None:
            raise statuses.verb_not_supported(resource.group, resource.plural, info.verb)
        if not allowed:
            raise statuses.method_not_allowed()

    async def _connect(
        self, request: web.BaseRequest, info: RequestInfo, verbs: tuple[str, ...], user: User
    ) -> web.StreamResponse:
        if info.verb not in verbs and not (info.subresource == "proxy" and request.method in ("HEAD", "OPTIONS")):
            raise statuses.method_not_allowed()
        if info.subresource == "log":
            return await self._connections.log(request, info)
        if info.subresource == "proxy":
            return await self._connections.proxy(request, info)
        return await self._connections.stream(request, info, user)

    # Options common to writes.

    def _call(self, request: web.BaseRequest, user: User, kind: str) -> Call:
        query = request.query
        validation = query.get("fieldValidation", "")
        errors = []
        if validation not in _VALIDATIONS:
            errors.append(statuses.unsupported("fieldValidation", validation, _VALIDATIONS))
        manager = query.get("fieldManager", "")
        if len(manager) > 128:
            errors.append(statuses.too_long("fieldManager", 128))
        dry_run = query.getall("dryRun", [])
        if any(value != "All" for value in dry_run):
            errors.append(statuses.unsupported("dryRun", dry_run, ("All",)))
        if errors:
            raise statuses.unprocessable("meta.k8s.io", kind, "", errors)
        if not manager:
            manager = request.headers.get("User-Agent", "").partition("/")[0][:128] or "unknown"
        chosen = cast("Literal['Strict', 'Warn', 'Ignore']", validation or "Warn")
        force, is_put = is_true(query.get("force")), request.method == "PUT"
        return Call(user, bool(dry_run), manager, chosen, force=force, is_put=is_put)

    # Reading.

    async def _get(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, _user: User
    ) -> web.StreamResponse:
        if info.subresource:
            namespace = info.namespace if resource.namespaced else None
            obj = self._subresources.read(resource, info.subresource, namespace, info.name)
            return object_answer(request, resource, obj, form)
        record = self._operations.record(resource, info.namespace if resource.namespaced else None, info.name)
        if not form.transform and form.media == "json" and not request.query and not is_converted(resource):
            return encoded_answer(resource, whole(resource, record) + b"\n")
        return object_answer(request, resource, from_stored(resource, record.object), form)

    async def _list(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, _user: User
    ) -> web.StreamResponse:
        options = list_options(request.query, watch=False)
        namespace = info.namespace if info.has_namespace else None
        page = await find(self._operations.store, resource, namespace, options)
        return list_answer(request, resource, page, form)

    async def _watch(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, _user: User
    ) -> web.StreamResponse:
        if form.media == "yaml":
            accepted = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
            raise statuses.failure(406, "NotAcceptable", f"only the following media types are accepted: {accepted}")
        query: dict[str, str] = dict(request.query)
        if info.name:
            query["fieldSelector"] = f"metadata.name={info.name}"
        options = list_options(query, watch=True)
        include = query.get("includeObject", "")
        if form.transform == "Table":
            check_include(include)
        # Once the stream has begun it is too late to say so.
        if form.media == "protobuf" and not form.transform and not is_describable(resource.api_version, resource.kind):
            raise not_acceptable()
        namespace = info.namespace if info.has_namespace else None
        stream = WatchStream(self._operations.store, resource, namespace, options, form, include=include)
        return await stream.serve(request)

    # Writing.

    async def _create(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        call = self._call(request, user, "CreateOptions")
        data = await request.read()
        kind, version = resource.kind, resource.api_version
        known = resource.subresource(info.subresource) if info.subresource else None
        if known is not None:
            kind, version = known.kind, f"{known.group}/{known.version}" if known.group else version
        body = read_object(data, request.headers.get("Content-Type"), kind, call, api_version=version)
        if info.subresource or resource.group in _REVIEW_GROUPS or resource.key == "bindings":
            demand_types(body, kind=kind, api_version=version)
        if info.subresource:
            obj = self._subresources.create(resource, info.subresource, info.namespace, info.name, body or {}, call)
        elif resource.group in _REVIEW_GROUPS:
            given = body or {}
            if info.has_namespace:
                given = {**given, "metadata": {**(given.get("metadata") or {}), "namespace": info.namespace}}
            obj = self._reviews.answer(resource, given, call)
        else:
            obj = self._create_object(resource, info, body, call)
        return object_answer(request, resource, obj, form, status=201, call=call)

    def _create_object(self, resource: Resource, info: RequestInfo, body: Any, call: Call) -> Object:
        namespace = info.namespace if resource.namespaced else None
        if resource.key == "bindings":
            name = ((body or {}).get("metadata") or {}).get("name", "")
            pods = self._operations.registry.of("pods")
            return self._subresources.create(pods, "binding", namespace, name, body or {}, call)
        self._guard.check(call.user, resource, info.namespace, body or {})
        if is_of_another_version(resource):
            return create_in_version(self._operations, resource, namespace, body, call)
        return self._operations.create(resource, namespace, body, call)

    async def _update(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        call = self._call(request, user, "UpdateOptions")
        header, version = request.headers.get("Content-Type"), resource.api_version
        body = read_object(await request.read(), header, resource.kind, call, api_version=version)
        wanted: Object = body or {}
        if not (wanted.get("metadata") or {}).get("name"):
            text = "the name of the object ( based on URL) was undeterminable: name must be provided"
            raise statuses.bad_request(text)
        obj = self._write(resource, info, lambda _old: wanted, call)
        return object_answer(request, resource, obj, form, call=call)

    async def _patch(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        media = media_type(request.headers.get("Content-Type"))
        if resource.custom is not None and media not in CUSTOM_PATCH_TYPES:
            raise unsupported_media(CUSTOM_PATCH_TYPES)
        if media not in PATCH_TYPES:
            raise unsupported_media()
        call = self._call(request, user, "PatchOptions")
        check_patch_options(request, media)
        patch = read_patch(await request.read(), media)
        if media == "application/apply-patch+yaml":
            obj, created = self._applying.apply(resource, info, patch, call)
            return object_answer(request, resource, obj, form, status=201 if created else 200, call=call)
        transform = patcher(media, patch, resource, info.subresource)
        obj = self._write(resource, info, transform, call)
        return object_answer(request, resource, obj, form, call=call)

    def _write(self, resource: Resource, info: RequestInfo, transform: Transform, call: Call) -> Object:
        namespace = info.namespace if resource.namespaced else None
        if info.subresource and info.subresource != "status":
            return self._subresources.update(resource, info.subresource, namespace, info.name, transform, call)
        guarded = self._guarded(resource, info, transform, call)
        if is_of_another_version(resource):
            return update_in_version(
                self._operations, resource, namespace, info.name, guarded, call, subresource=info.subresource
            )
        return self._operations.update(resource, namespace, info.name, guarded, call, subresource=info.subresource)

    def _guarded(self, resource: Resource, info: RequestInfo, transform: Transform, call: Call) -> Transform:
        """The transform, followed by the check that it gives nobody more rights than the writer has."""

        def checked(old: Object) -> Object:
            wanted = transform(old)
            self._guard.check(call.user, resource, info.namespace, wanted)
            return wanted

        return checked

    # Deleting.

    async def _delete(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        options = delete_options(await request.read(), request)
        call = Call(user, options.dry_run)
        namespace = info.namespace if resource.namespaced else None
        if resource.key == "jobs.batch" and options.propagation_policy is None:
            call.warn(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
                "them or set propagationPolicy=Orphan to suppress this warning"
            )
        obj = deletion.delete(self._operations, resource, namespace, info.name, options, call)
        if obj.get("kind") == resource.kind:
            obj = from_stored(resource, obj)
        return object_answer(request, resource, obj, form, call=call)

    async def _delete_collection(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        options = delete_options(await request.read(), request)
        query = {key: value for key, value in request.query.items() if key not in ("resourceVersion", "limit")}
        wanted = list_options(query, watch=False)
        selector = Selector(
            wanted.label_selector,
            wanted.field_selector,
            group=resource.group,
            plural=resource.plural,
            selectable=resource.selectable,
        )
        namespace = info.namespace if info.has_namespace else None
        records = self._operations.select(resource, namespace, selector)
        revision = str(self._operations.store.revision)
        call = Call(user, options.dry_run)
        for record in records:
            deletion.delete(self._operations, resource, record.namespace, record.name, options, call)
        return list_answer(request, resource, Page(records, {"resourceVersion": revision}), form)


def _is_addressed(resource: Resource, info: RequestInfo) -> bool:
    """Whether a path names custom resources as their scope demands: lists alone may span namespaces."""
    if resource.namespaced:
        return info.has_namespace or (info.verb in ("list", "watch") and not info.name)
    return not info.has_namespace
