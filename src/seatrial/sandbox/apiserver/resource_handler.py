"""Carries out HTTP requests about resources: reads the query and body, calls the operation, shapes the answer."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, cast

from aiohttp import web
from multidict import CIMultiDict

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import deletion, schema, statuses
from seatrial.sandbox.apiserver.apply import Applied
from seatrial.sandbox.apiserver.bodies import (
    PATCH_TYPES,
    media_type,
    read_delete_options,
    read_object,
    read_patch,
    unsupported_media,
)
from seatrial.sandbox.apiserver.calls import Call, DeleteOptions, User
from seatrial.sandbox.apiserver.connections import Connections
from seatrial.sandbox.apiserver.conversion import from_stored, is_converted, to_stored
from seatrial.sandbox.apiserver.escalation import EscalationGuard
from seatrial.sandbox.apiserver.json_patch import JsonPatchError, apply_json_patch
from seatrial.sandbox.apiserver.lists import Page, find, list_options
from seatrial.sandbox.apiserver.merge_patch import merge
from seatrial.sandbox.apiserver.negotiation import Form, encode, negotiate
from seatrial.sandbox.apiserver.operations import Operations, Transform
from seatrial.sandbox.apiserver.printers.table import check_include, partial, table
from seatrial.sandbox.apiserver.request_info import RequestInfo, is_true
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.reviews import Reviews
from seatrial.sandbox.apiserver.selectors import Selector
from seatrial.sandbox.apiserver.strategic_merge import strategic_merge
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

    async def handle(self, request: web.BaseRequest, info: RequestInfo, user: User) -> web.StreamResponse:
        """Carry out one request."""
        resource = self._operations.registry.find(info.group, info.version, info.resource)
        if resource is None:
            raise statuses.no_such_resource()
        verbs = resource.verbs
        if info.subresource:
            known = resource.subresource(info.subresource)
            if known is None:
                raise statuses.no_such_resource()
            verbs = known.verbs
        if info.subresource in ("log", "proxy", "exec", "attach", "portforward"):
            return await self._connect(request, info, verbs)
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
        if not allowed:
            raise statuses.method_not_allowed()

    async def _connect(self, request: web.BaseRequest, info: RequestInfo, verbs: tuple[str, ...]) -> web.StreamResponse:
        if info.verb not in verbs and not (info.subresource == "proxy" and request.method in ("HEAD", "OPTIONS")):
            raise statuses.method_not_allowed()
        if info.subresource == "log":
            return await self._connections.log(request, info)
        if info.subresource == "proxy" and info.resource in ("pods", "services"):
            return await self._connections.proxy(request, info)
        text = "the sandbox does not serve this subresource"
        raise statuses.failure(501, "NotImplemented", text)

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
            obj = self._subresources.read(resource, info.subresource, info.namespace, info.name)
            return self._answer(request, resource, obj, form)
        record = self._operations.record(resource, info.namespace if resource.namespaced else None, info.name)
        if not form.transform and form.media == "json" and not request.query and not is_converted(resource):
            return _response(200, whole(resource, record) + b"\n", "application/json", _warnings(resource, ()))
        return self._answer(request, resource, from_stored(resource, record.object), form)

    async def _list(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, _user: User
    ) -> web.StreamResponse:
        options = list_options(request.query, watch=False)
        namespace = info.namespace if info.has_namespace else None
        page = await find(self._operations.store, resource, namespace, options)
        return self._list_answer(request, resource, page, form)

    def _list_answer(self, request: web.BaseRequest, resource: Resource, page: Page, form: Form) -> web.Response:
        kind = f"{resource.kind}List"
        if form.transform == "PartialObjectMetadata":
            text = f"you requested PartialObjectMetadata, but the requested object is a list (*core.{kind})"
            raise statuses.failure(406, "NotAcceptable", text)
        if form.transform or form.media != "json" or request.query.get("pretty") or is_converted(resource):
            stored = [record.object for record in page.records]
            # Tables are printed from the stored form, whichever version asks.
            objects = stored if form.transform == "Table" else [from_stored(resource, obj) for obj in stored]
            return self._shaped_list(request, resource, objects, page.metadata, form)
        head = encode({"kind": kind, "apiVersion": resource.api_version, "metadata": page.metadata}, form)
        items = b",".join([record.encoded for record in page.records])
        return _response(
            200, b'%b,"items":[%b]}\n' % (head.rstrip()[:-1], items), "application/json", _warnings(resource, ())
        )

    def _shaped_list(
        self, request: web.BaseRequest, resource: Resource, objects: list[Object], metadata: Object, form: Form
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
            plain = [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in objects]
            kind = f"{resource.kind}List"
            body = {"kind": kind, "apiVersion": resource.api_version, "metadata": metadata, "items": plain}
        data = encode(body, form, pretty=_is_pretty(request))
        return _response(200, data, form.content_type, _warnings(resource, ()))

    async def _watch(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, _user: User
    ) -> web.StreamResponse:
        if form.media != "json":
            accepted = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
            raise statuses.failure(406, "NotAcceptable", f"only the following media types are accepted: {accepted}")
        query: dict[str, str] = dict(request.query)
        if info.name:
            query["fieldSelector"] = f"metadata.name={info.name}"
        options = list_options(query, watch=True)
        include = query.get("includeObject", "")
        if form.transform == "Table":
            check_include(include)
        namespace = info.namespace if info.has_namespace else None
        stream = WatchStream(self._operations.store, resource, namespace, options, form, include=include)
        return await stream.serve(request)

    # Writing.

    async def _create(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        call = self._call(request, user, "CreateOptions")
        data = await request.read()
        kind = resource.kind
        if info.subresource:
            known = resource.subresource(info.subresource)
            kind = known.kind if known else kind
        body = read_object(data, request.headers.get("Content-Type"), kind, call)
        if info.subresource:
            obj = self._subresources.create(resource, info.subresource, info.namespace, info.name, body or {}, call)
        elif resource.group in _REVIEW_GROUPS:
            given = body or {}
            if info.has_namespace:
                given = {**given, "metadata": {**(given.get("metadata") or {}), "namespace": info.namespace}}
            obj = self._reviews.answer(resource, given, call)
        else:
            obj = self._create_object(resource, info, body, call)
        return self._answer(request, resource, obj, form, status=201, call=call)

    def _create_object(self, resource: Resource, info: RequestInfo, body: Any, call: Call) -> Object:
        namespace = info.namespace if resource.namespaced else None
        if resource.key == "bindings":
            name = ((body or {}).get("metadata") or {}).get("name", "")
            pods = self._operations.registry.of("pods")
            return self._subresources.create(pods, "binding", namespace, name, body or {}, call)
        self._guard.check(call.user, resource, info.namespace, body or {})
        if not is_converted(resource):
            return self._operations.create(resource, namespace, body, call)
        decoded = to_stored(resource, self._operations.decode(resource, body, call))
        stored = self._operations.registry.of(resource.table)
        return from_stored(resource, self._operations.create(stored, namespace, decoded, call))

    async def _update(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        call = self._call(request, user, "UpdateOptions")
        body = read_object(await request.read(), request.headers.get("Content-Type"), resource.kind, call)
        wanted: Object = body or {}
        if not (wanted.get("metadata") or {}).get("name"):
            text = "the name of the object ( based on URL) was undeterminable: name must be provided"
            raise statuses.bad_request(text)
        obj = self._write(resource, info, lambda _old: wanted, call)
        return self._answer(request, resource, obj, form, call=call)

    async def _patch(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        media = media_type(request.headers.get("Content-Type"))
        if media not in PATCH_TYPES:
            raise unsupported_media()
        call = self._call(request, user, "PatchOptions")
        self._check_patch_options(request, media)
        patch = read_patch(await request.read(), media)
        if media == "application/apply-patch+yaml":
            obj, created = self._apply(resource, info, patch, call)
            return self._answer(request, resource, obj, form, status=201 if created else 200, call=call)
        transform = _patcher(media, patch, resource, info.subresource)
        obj = self._write(resource, info, transform, call)
        return self._answer(request, resource, obj, form, call=call)

    @staticmethod
    def _check_patch_options(request: web.BaseRequest, media: str) -> None:
        errors = []
        if media == "application/apply-patch+yaml":
            if not request.query.get("fieldManager"):
                text = "is required for apply patch"
                errors.append(statuses.required("fieldManager", text))
        elif "force" in request.query:
            errors.append(statuses.forbidden_field("force", "may not be specified for non-apply patch"))
        if errors:
            raise statuses.unprocessable("meta.k8s.io", "PatchOptions", "", errors)

    def _write(self, resource: Resource, info: RequestInfo, transform: Transform, call: Call) -> Object:
        namespace = info.namespace if resource.namespaced else None
        if info.subresource and info.subresource != "status":
            return self._subresources.update(resource, info.subresource, namespace, info.name, transform, call)
        if not is_converted(resource):
            guarded = self._guarded(resource, info, transform, call)
            return self._operations.update(resource, namespace, info.name, guarded, call, subresource=info.subresource)
        stored = self._operations.registry.of(resource.table)

        def converted(old: Object) -> Object:
            wanted = transform(from_stored(resource, old))
            return to_stored(resource, self._operations.decode(resource, wanted, call))

        changed = self._operations.update(stored, namespace, info.name, converted, call, subresource=info.subresource)
        return from_stored(resource, changed)

    def _guarded(self, resource: Resource, info: RequestInfo, transform: Transform, call: Call) -> Transform:
        """The transform, followed by the check that it gives nobody more rights than the writer has."""

        def checked(old: Object) -> Object:
            wanted = transform(old)
            self._guard.check(call.user, resource, info.namespace, wanted)
            return wanted

        return checked

    def _apply(self, resource: Resource, info: RequestInfo, config: Object, call: Call) -> tuple[Object, bool]:
        namespace = info.namespace if resource.namespaced else None
        stored = self._operations.registry.of(resource.table)
        if config.get("metadata", {}).get("managedFields"):
            raise statuses.bad_request("metadata.managedFields must be nil")
        config = {**config, "metadata": {"name": info.name, **(config.get("metadata") or {})}}
        decoded = self._decode_config(resource, info, config, call)
        applied = Applied(decoded, manager=call.manager, subresource=info.subresource, force=call.force)
        self._guard.check(call.user, resource, info.namespace, decoded)
        existing = self._operations.store.get(resource.table, namespace or "", info.name)
        if existing is None:
            if info.subresource:
                raise statuses.not_found(resource.group, resource.plural, info.name)
            return self._operations.create(stored, namespace, decoded, call, track=applied.track), True
        obj = self._operations.update(
            stored,
            namespace,
            info.name,
            applied.merge,
            call,
            subresource=info.subresource,
            track=applied.track,
        )
        return obj, False

    def _decode_config(self, resource: Resource, info: RequestInfo, config: Object, call: Call) -> Object:
        strict = Call(call.user, manager=call.manager, validation="Warn")
        if not config.get("apiVersion") or not config.get("kind"):
            version, kind = config.get("apiVersion", "/"), config.get("kind", "")
            raise statuses.bad_request(f"invalid object type: {version}, Kind={kind}")
        decoded = self._operations.decode(resource, config, strict, literal=True)
        unknown = [re.sub(r'^unknown field "(.*)"$', r"\1", text) for text in strict.warnings]
        if unknown:
            where = f"/{info.name}; {resource.group}/{resource.version}, Kind={resource.kind}"
            text = f"failed to create typed patch object ({where}): .{unknown[0]}: field not declared in schema"
            raise statuses.failure(500, "", text)
        return decoded

    # Deleting.

    async def _delete(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        options = _delete_options(await request.read(), request)
        call = Call(user, options.dry_run)
        namespace = info.namespace if resource.namespaced else None
        if resource.key == "jobs.batch" and options.propagation_policy is None:
            call.warn(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
                "them or set propagationPolicy=Orphan to suppress this warning"
            )
        obj = deletion.delete(self._operations, resource, namespace, info.name, options, call)
        return self._answer(request, resource, obj, form, call=call)

    async def _delete_collection(
        self, request: web.BaseRequest, info: RequestInfo, resource: Resource, form: Form, user: User
    ) -> web.StreamResponse:
        options = _delete_options(await request.read(), request)
        query = {key: value for key, value in request.query.items() if key not in ("resourceVersion", "limit")}
        wanted = list_options(query, watch=False)
        selector = Selector(wanted.label_selector, wanted.field_selector, group=resource.group, plural=resource.plural)
        namespace = info.namespace if info.has_namespace else None
        records = self._operations.select(resource, namespace, selector)
        revision = str(self._operations.store.revision)
        call = Call(user, options.dry_run)
        for record in records:
            deletion.delete(self._operations, resource, record.namespace, record.name, options, call)
        return self._list_answer(request, resource, Page(records, {"resourceVersion": revision}), form)

    # Answering.

    def _answer(
        self,
        request: web.BaseRequest,
        resource: Resource,
        obj: Object,
        form: Form,
        *,
        status: int = 200,
        call: Call | None = None,
    ) -> web.Response:
        headers = _warnings(resource, call.warnings if call else ())
        if form.transform == "PartialObjectMetadataList":
            text = (
                f"you requested PartialObjectMetadataList, but the requested object is not a list (*core.{obj['kind']})"
            )
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
        return _response(status, data, form.content_type, headers)


def _patcher(media: str, patch: Any, resource: Resource, subresource: str) -> Transform:
    """The function that a patch is."""
    if media == "application/merge-patch+json":
        return lambda old: cast("Object", merge(old, patch))
    if media == "application/strategic-merge-patch+json":
        root = schema.root(resource.api_version, resource.kind)
        if subresource == "scale":
            root = schema.root("autoscaling/v1", "Scale")
        return lambda old: cast("Object", strategic_merge(old, patch, root))

    def patched(old: Object) -> Object:
        try:
            result = apply_json_patch(old, patch)
        except JsonPatchError as error:
            raise statuses.unprocessable_patch() from error
        return result if isinstance(result, dict) else {}

    return patched


def _delete_options(data: bytes, request: web.BaseRequest) -> DeleteOptions:
    body = read_delete_options(data, request.headers.get("Content-Type"))
    query: Mapping[str, str] = {} if body else request.query
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    policy = body.get("propagationPolicy", query.get("propagationPolicy"))
    orphan = body.get("orphanDependents", query.get("orphanDependents"))
    dry_run: list[str] = body["dryRun"] if body.get("dryRun") else request.query.getall("dryRun", [])
    _check_delete_options(policy, orphan, dry_run)
    if orphan is not None:
        policy = "Orphan" if str(orphan).lower() in ("true", "1") else "Background"
    try:
        seconds = None if grace is None else int(grace)
    except ValueError:
        raise statuses.bad_request(f'strconv.ParseInt: parsing "{grace}": invalid syntax') from None
    uid, version = preconditions.get("uid"), preconditions.get("resourceVersion")
    return DeleteOptions(seconds, policy, uid, version, bool(dry_run))


def _check_delete_options(policy: Any, orphan: Any, dry_run: list[str]) -> None:
    errors = []
    if policy is not None and orphan is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(statuses.invalid("propagationPolicy", policy, text))
    if policy not in (None, "Background", "Foreground", "Orphan"):
        choices = ("Background", "Foreground", "Orphan", "nil")
        errors.append(statuses.unsupported("propagationPolicy", policy, choices))
    if any(value != "All" for value in dry_run):
        errors.append(statuses.unsupported("dryRun", list(dry_run), ("All",)))
    if errors:
        raise statuses.unprocessable("meta.k8s.io", "DeleteOptions", "", errors)


def _is_pretty(request: web.BaseRequest) -> bool:
    return is_true(request.query.get("pretty"))


def _warnings(resource: Resource, texts: Iterable[str]) -> list[tuple[str, str]]:
    """`Warning` headers: what came up, and what is deprecated."""
    found = [*texts]
    if resource.key == "endpoints":
        found.append("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
    return [("Warning", f'299 - "{_quoted(text)}"') for text in found]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _response(
    status: int, data: bytes, content_type: str, headers: list[tuple[str, str]] | None = None
) -> web.Response:
    found = CIMultiDict([("Content-Type", content_type), ("Cache-Control", "no-cache, private"), *(headers or ())])
    return web.Response(status=status, body=data, headers=found)
