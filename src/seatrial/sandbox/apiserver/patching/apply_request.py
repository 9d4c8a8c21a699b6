"""Carries out a PATCH of the type `application/apply-patch+yaml`: checks the configuration and hands it to `apply`."""

import re

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.access.escalation import EscalationGuard
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.conversion import from_stored, is_converted, to_stored
from seatrial.sandbox.apiserver.custom.field_types import mismatch
from seatrial.sandbox.apiserver.custom.scale import with_replicas
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.patching.apply import Applied
from seatrial.sandbox.apiserver.request_info import RequestInfo
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.subresources import scale_of


class ApplyRequests:
    """Applies configurations to objects and to their status and scale."""

    def __init__(self, operations: Operations, guard: EscalationGuard) -> None:
        self._operations = operations
        self._guard = guard

    def apply(self, resource: Resource, info: RequestInfo, config: Object, call: Call) -> tuple[Object, bool]:
        """The object afterwards, and whether it was created."""
        namespace = info.namespace if resource.namespaced else None
        stored = resource if resource.custom else self._operations.registry.of(resource.table)
        decoded = self._decoded(resource, info, config, call)
        if is_converted(resource) and resource.custom is None:
            decoded = to_stored(resource, decoded)
        applied = Applied(
            decoded,
            manager=call.manager,
            subresource=info.subresource,
            force=call.force,
            excluded=resource.unowned(info.subresource),
            root=resource.structure,
        )
        self._guard.check(call.user, resource, info.namespace, decoded)
        existing = self._operations.store.get(resource.table, namespace or "", info.name)
        if existing is None:
            if info.subresource:
                raise statuses.not_found(resource.group, resource.plural, info.name)
            if uid := decoded["metadata"].get("uid"):
                text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                raise statuses.conflict(resource.group, resource.plural, info.name, text)
            made = self._operations.create(stored, namespace, decoded, call, track=applied.track)
            return from_stored(resource, made), True

        def merged(live: Object) -> Object:
            is_scaled = info.subresource == "scale" and resource.custom is None
            return applied.merge(_as_scaled(live) if is_scaled else live)

        obj = self._operations.update(
            stored, namespace, info.name, merged, call, subresource=info.subresource, track=applied.track
        )
        return (scale_of(resource, obj) if info.subresource == "scale" else from_stored(resource, obj)), False

    def _decoded(self, resource: Resource, info: RequestInfo, config: Object, call: Call) -> Object:
        """The configuration as an object of the resource's kind, with nothing added."""
        metadata = config.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise statuses.bad_request("error decoding YAML: metadata is an object")
        if metadata.get("managedFields"):
            raise statuses.bad_request("metadata.managedFields must be nil")
        if not config.get("apiVersion") or not config.get("kind"):
            version, kind = config.get("apiVersion", "/"), config.get("kind", "")
            raise statuses.bad_request(f"invalid object type: {version}, Kind={kind}")
        named = {**config, "metadata": {"name": info.name, **metadata}}
        kind, version = resource.kind, resource.api_version
        if info.subresource == "scale":
            kind, version = "Scale", "autoscaling/v1"
        lenient = Call(call.user, manager=call.manager, validation="Warn")
        given = str(config["apiVersion"])
        if given != version and given.partition("/")[0] == version.partition("/")[0] and not info.subresource:
            text = f"Specified patch version: {given}, expected: {version}"
            raise statuses.bad_request(f"Incorrect version specified in apply patch. {text}")
        decoded = self._operations.decode(resource, named, lenient, kind=kind, api_version=version, literal=True)
        unknown = [re.sub(r'^unknown field "(.*)"$', r"\1", text) for text in lenient.warnings]
        problem = f".{unknown[0]}: field not declared in schema" if unknown else ""
        if resource.custom is not None and info.subresource != "scale":
            problem = problem or mismatch(decoded, resource.custom.structure)
        if problem:
            gvk = f"{resource.group}/{resource.version}, Kind={resource.kind}"
            where = f"{metadata.get('namespace') or ''}/{info.name}; {gvk}"
            raise statuses.failure(500, "", f"failed to create typed patch object ({where}): {problem}")
        if info.subresource != "scale":
            return decoded
        # Ownership of what a Scale sets is kept in the object that is scaled, under the path it has there.
        replicas = {"replicas": (decoded.get("spec") or {}).get("replicas", 0)}
        whole = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": decoded["metadata"]}
        if resource.custom is not None and resource.custom.scale is not None:
            return with_replicas(whole, resource.custom.scale, replicas["replicas"])
        return {**whole, "spec": replicas}


def _as_scaled(live: Object) -> Object:
    """The object as its Scale shows it: none wanted is nothing said, so that a zero applied is a change."""
    spec = live.get("spec") or {}
    return live if spec.get("replicas") else {**live, "spec": {k: v for k, v in spec.items() if k != "replicas"}}
