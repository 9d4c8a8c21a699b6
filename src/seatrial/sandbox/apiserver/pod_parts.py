"""The parts of a pod that are written through subresources of their own: ephemeral containers and resources.

A writer sends a whole pod or a patch of one; only the part in question is taken from it, what else it changed is
dropped without an error. Who set what is noted before that, as the API server does: a field that was dropped can so
come to be owned by its writer. See "Ephemeral Containers" and "Resize CPU and Memory Resources assigned to Containers"
in the Kubernetes documentation.
"""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.operations import Operations, Transform
from seatrial.sandbox.apiserver.patching import managed_fields
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.strategies.pod_spec import default_container
from seatrial.sandbox.apiserver.strategies.pod_validation import container_errors, pod_spec_errors
from seatrial.sandbox.apiserver.strategies.pods import STRATEGY, quality_of_service

_NOT_EPHEMERAL = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy")
_RESIZABLE = ("cpu", "memory")


def update_part(
    operations: Operations,
    resource: Resource,
    subresource: str,
    namespace: str | None,
    name: str,
    transform: Transform,
    call: Call,
) -> Object:
    """Write `ephemeralcontainers` or `resize` of a pod; returns the pod."""
    record = operations.record(resource, namespace, name)
    old = record.object
    wanted = operations.decode(resource, transform(old), call)
    version = wanted["metadata"].get("resourceVersion")
    if version and version not in (old["metadata"]["resourceVersion"], "0"):
        raise statuses.conflict("", "pods", name)
    STRATEGY.defaults(wanted)
    merge = _with_ephemeral if subresource == "ephemeralcontainers" else _with_sizes
    spec, errors = merge(old["spec"], wanted["spec"])
    tracked = managed_fields.track_update(
        old, wanted, manager=call.manager, subresource=subresource, excluded=resource.unowned(subresource)
    )
    if errors:
        raise statuses.unprocessable("", "Pod", name, errors)
    meta = {**old["metadata"], **({"managedFields": tracked} if tracked else {})}
    if spec != old["spec"]:
        meta["generation"] = old["metadata"].get("generation", 0) + 1
    new = {**old, "metadata": meta, "spec": spec}
    if new == old:
        return old
    attempt = Attempt("update", resource, record.namespace, name, new, old, call, subresource)
    operations.admission.admit(attempt)
    charges = operations.admission.check(attempt)
    if call.dry_run:
        return new
    stored = operations.store.put("pods", record.namespace, name, new).object
    operations.admission.settle(charges)
    return stored


def _with_ephemeral(old: Object, wanted: Object) -> tuple[Object, list[statuses.FieldError]]:
    """Ephemeral containers are added, never changed, and have neither ports nor probes."""
    ephemeral = wanted.get("ephemeralContainers") or []
    for container in ephemeral:
        default_container(container, host_network=False)
    path, errors = "spec.ephemeralContainers", []
    volumes = {volume["name"] for volume in old.get("volumes") or ()}
    taken = {container["name"] for key in ("containers", "initContainers") for container in old.get(key) or ()}
    for index, container in enumerate(ephemeral):
        where = f"{path}[{index}]"
        if container.get("name") in taken:
            errors.append(statuses.duplicate(f"{where}.name", container["name"]))
        taken.add(container.get("name", ""))
        allowed = {key: value for key, value in container.items() if key not in _NOT_EPHEMERAL}
        errors += container_errors(allowed, where, volumes, host_network=False, init=False)
        text = "cannot be set for an Ephemeral Container"
        errors += [statuses.forbidden_field(f"{where}.{key}", text) for key in _NOT_EPHEMERAL if container.get(key)]
    there = {container.get("name"): container for container in ephemeral}
    for container in old.get("ephemeralContainers") or ():
        if there.get(container["name"]) != container:
            verb = "changed" if container["name"] in there else "removed"
            text = f'existing ephemeral containers "{container["name"]}" may not be {verb}'
            errors.append(statuses.forbidden_field(path, text))
    return ({**old, "ephemeralContainers": ephemeral} if ephemeral else old), errors


def _with_sizes(old: Object, wanted: Object) -> tuple[Object, list[statuses.FieldError]]:
    """CPU and memory of containers and sidecars may change as long as the pod keeps its quality of service."""
    spec, errors = dict(old), []
    for key in ("containers", "initContainers"):
        before, after = old.get(key) or [], wanted.get(key) or []
        if [container["name"] for container in before] != [container.get("name") for container in after]:
            errors.append(statuses.forbidden_field(f"spec.{key}", f"{key} may not be renamed or reordered on resize"))
            continue
        pairs = list(zip(before, after, strict=True))
        if before:
            spec[key] = [_resized(container, found) for container, found in pairs]
        for index, (container, found) in enumerate(pairs):
            errors += _size_errors(f"spec.{key}[{index}].resources", container, found, is_init=key == "initContainers")
    if errors:
        return old, errors
    if quality_of_service(spec) != quality_of_service(old):
        rule = "Pod QOS Class may not change as a result of resizing"
        return old, [statuses.invalid("spec", quality_of_service(spec), rule)]
    checked = {key: value for key, value in spec.items() if key != "ephemeralContainers"}
    return spec, pod_spec_errors(checked, "spec", pod=True) if spec != old else []


def _resized(container: Object, wanted: Object) -> Object:
    kept = {**container, "resources": wanted.get("resources") or {}}
    return {**kept, "resizePolicy": wanted["resizePolicy"]} if wanted.get("resizePolicy") else kept


def _size_errors(where: str, old: Object, wanted: Object, *, is_init: bool) -> list[statuses.FieldError]:
    before, after = old.get("resources") or {}, wanted.get("resources") or {}
    if before == after:
        return []
    if is_init and old.get("restartPolicy") != "Always":
        return [statuses.forbidden_field(where, "resources for non-sidecar init containers are immutable")]
    errors = []
    for group in ("limits", "requests"):
        held, asked = before.get(group) or {}, after.get(group) or {}
        if any(held.get(name) != asked.get(name) for name in {*held, *asked} if name not in _RESIZABLE):
            return [statuses.forbidden_field("spec", "only cpu and memory resources are mutable")]
        if any(name not in asked for name in held):
            errors.append(statuses.forbidden_field(f"{where}.{group}", f"resource {group} cannot be removed"))
    return errors
