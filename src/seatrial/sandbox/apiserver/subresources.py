"""Subresources with rules of their own: binding, eviction, scale, token, finalize; parts of pods: `pod_parts`.

`status` is an ordinary update (`operations`); log, exec and proxy are connections (`connections`).
"""

from collections.abc import Callable
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.access.tokens import MOST_SECONDS, TokenSigner
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.custom.scale import read_scale, with_replicas
from seatrial.sandbox.apiserver.eviction import evict
from seatrial.sandbox.apiserver.metadata import new_uid, now
from seatrial.sandbox.apiserver.operations import Operations, Transform
from seatrial.sandbox.apiserver.patching.managed_fields import track_update
from seatrial.sandbox.apiserver.pod_parts import update_part
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.selectors import selector_text

_SCALED_SPEC = {"kind": "Scale", "apiVersion": "autoscaling/v1"}


class Subresources:
    """Carries out reads and writes of subresources."""

    def __init__(self, operations: Operations, signer: TokenSigner) -> None:
        self._operations = operations
        self._signer = signer

    def create(
        self, resource: Resource, subresource: str, namespace: str | None, name: str, body: Object, call: Call
    ) -> Object:
        """POST to a subresource."""
        key = f"{resource.key}/{subresource}"
        actions: dict[str, Callable[[str | None, str, Object, Call], Object]] = {
            "pods/binding": self._bind,
            "pods/eviction": self._evict,
            "serviceaccounts/token": self._request_token,
        }
        action = actions.get(key)
        if action is None:
            known = resource.subresource(subresource)
            raise statuses.method_not_allowed() if known else statuses.no_such_resource()
        attempt = Attempt("create", resource, namespace or "", name, body, None, call, subresource)
        self._operations.admission.check(attempt)
        return action(namespace, name, body, call)

    def read(self, resource: Resource, subresource: str, namespace: str | None, name: str) -> Object:
        """GET of a subresource."""
        obj = self._operations.record(resource, namespace, name).object
        if resource.custom is not None:
            obj = resource.custom.read(obj)
        return scale_of(resource, obj) if subresource == "scale" else obj

    def update(
        self,
        resource: Resource,
        subresource: str,
        namespace: str | None,
        name: str,
        transform: Transform,
        call: Call,
    ) -> Object:
        """PUT or PATCH of a subresource."""
        if subresource == "scale":
            return self._scale(resource, namespace, name, transform, call)
        if subresource == "finalize":
            return self._finalize(resource, name, transform, call)
        if subresource in ("ephemeralcontainers", "resize"):
            return update_part(self._operations, resource, subresource, namespace, name, transform, call)
        if subresource == "approval":
            return self._operations.update(resource, namespace, name, transform, call, subresource="status")
        known = resource.subresource(subresource)
        raise statuses.method_not_allowed() if known else statuses.no_such_resource()

    # pods/binding

    def _bind(self, namespace: str | None, name: str, body: Object, call: Call) -> Object:
        resource = self._operations.registry.of("pods")
        target = body.get("target") or {}
        record = self._operations.record(resource, namespace, name)
        pod = record.object
        if target.get("kind") not in (None, "", "Node"):
            choices = 'supported values: "Node", "<empty>"'
            raise statuses.failure(500, "", f'target.kind: Unsupported value: "{target["kind"]}": {choices}')
        if not target.get("name"):
            raise statuses.failure(500, "", "target.name: Required value")
        if pod["spec"].get("schedulingGates"):
            why = f"pod {name} has non-empty .spec.schedulingGates"
            raise statuses.conflict("", "pods/binding", name, why)
        uid = (body.get("metadata") or {}).get("uid")
        if uid and uid != pod["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {pod['metadata']['uid']}"
            raise statuses.conflict("", "pods/binding", name, why)
        if "deletionTimestamp" in pod["metadata"]:
            why = f"pod {name} is being deleted, cannot be assigned to a host"
            raise statuses.conflict("", "pods/binding", name, why)
        if pod["spec"].get("nodeName"):
            why = f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
            raise statuses.conflict("", "pods/binding", name, why)
        if not call.dry_run:
            self._operations.store.put("pods", record.namespace, name, _assigned(pod, target["name"], body))
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    # pods/eviction

    def _evict(self, namespace: str | None, name: str, body: Object, call: Call) -> Object:
        return evict(self._operations, namespace or "", name, body, call)

    # serviceaccounts/token

    def _request_token(self, namespace: str | None, name: str, body: Object, call: Call) -> Object:
        resource = self._operations.registry.of("serviceaccounts")
        account = self._operations.record(resource, namespace, name).object
        request = self._operations.decode(
            resource, body, call, kind="TokenRequest", api_version="authentication.k8s.io/v1"
        )
        tracked = track_update(None, request, manager=call.manager, subresource="token", excluded=("status",))
        spec = request.setdefault("spec", {})
        seconds = spec.setdefault("expirationSeconds", 3600)
        if seconds < 600:
            rule = "may not specify a duration less than 10 minutes"
            problem = statuses.invalid("spec.expirationSeconds", seconds, rule)
            raise statuses.unprocessable("authentication.k8s.io", "TokenRequest", "", [problem])
        if seconds > MOST_SECONDS:
            rule = "may not specify a duration larger than 2^32 seconds"
            problem = statuses.invalid("spec.expirationSeconds", seconds, rule)
            raise statuses.unprocessable("authentication.k8s.io", "TokenRequest", "", [problem])
        spec.setdefault("audiences", ["https://kubernetes.default.svc"])
        self._check_bound_object(spec, namespace or "")
        spec.setdefault("boundObjectRef", None)
        token, expires = self._signer.issue(account, spec)
        meta = {
            "name": name,
            "namespace": account["metadata"]["namespace"],
            "uid": new_uid(),
            "creationTimestamp": now(),
            "managedFields": tracked,
        }
        return {**request, "metadata": meta, "status": {"token": token, "expirationTimestamp": expires}}

    def _check_bound_object(self, spec: Object, namespace: str) -> None:
        bound = spec.get("boundObjectRef")
        if not bound:
            return
        table = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}.get(bound.get("kind", ""))
        if table is None:
            raise statuses.bad_request(f"cannot bind token for serviceaccount to a type {bound.get('kind')}")
        where = "" if table == "nodes" else namespace
        found = self._operations.lookup(table, where, bound.get("name", ""))
        if found is None:
            raise statuses.not_found("", table, bound.get("name", ""))
        if bound.get("uid") and bound["uid"] != found["metadata"]["uid"]:
            why = f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record. "
            why += "The object might have been deleted and then recreated"
            raise statuses.conflict("", table, bound["name"], why)
        bound["uid"] = found["metadata"]["uid"]

    # scale

    def _scale(self, resource: Resource, namespace: str | None, name: str, transform: Transform, call: Call) -> Object:
        def apply(old: Object) -> Object:
            before = scale_of(resource, old)
            wanted = transform(before)
            self._operations.check_identity(name, namespace, wanted)
            decoded = self._operations.decode(resource, wanted, call, kind="Scale", api_version="autoscaling/v1")
            replicas = decoded.get("spec", {}).get("replicas", 0)
            if replicas < 0:
                problem = statuses.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
                raise statuses.unprocessable("autoscaling", "Scale", name, [problem])
            meta = dict(old["metadata"])
            version = decoded["metadata"].get("resourceVersion")
            if version:
                meta["resourceVersion"] = version
            if resource.custom is not None and resource.custom.scale is not None:
                return with_replicas({**old, "metadata": meta}, resource.custom.scale, replicas)
            return {**old, "metadata": meta, "spec": {**old["spec"], "replicas": replicas}}

        updated = self._operations.update(resource, namespace, name, apply, call, subresource="scale")
        return scale_of(resource, updated)

    # namespaces/finalize

    def _finalize(self, resource: Resource, name: str, transform: Transform, call: Call) -> Object:
        record = self._operations.record(resource, None, name)
        old = record.object
        wanted = self._operations.decode(resource, transform(old), call)
        self._operations.check_identity(name, None, wanted)
        if wanted["metadata"].get("resourceVersion") not in (None, "", old["metadata"]["resourceVersion"]):
            raise statuses.conflict("", "namespaces", name)
        spec = wanted.get("spec") or {}
        new = {**old, "spec": spec}
        tracked = track_update(old, new, manager=call.manager, subresource="finalize", excluded=("status",))
        if tracked:
            new["metadata"] = {**old["metadata"], "managedFields": tracked}
        if call.dry_run or new == old:
            return new
        done = "deletionTimestamp" in old["metadata"] and not spec and not old["metadata"].get("finalizers")
        if done:
            self._operations.store.remove("namespaces", "", name)
            return new
        return self._operations.store.put("namespaces", "", name, new).object


def _assigned(pod: Object, node: str, body: Object) -> Object:
    """The pod on its node, with the condition that says so."""
    conditions: list[Any] = [c for c in pod["status"].get("conditions") or [] if c["type"] != "PodScheduled"]
    conditions.append(
        {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": now(),
        }
    )
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    meta = dict(pod["metadata"])
    if annotations:
        meta["annotations"] = {**(meta.get("annotations") or {}), **annotations}
    return {
        **pod,
        "metadata": meta,
        "spec": {**pod["spec"], "nodeName": node},
        # It has its node: that it was promised one says nothing more.
        "status": {**{k: v for k, v in pod["status"].items() if k != "nominatedNodeName"}, "conditions": conditions},
    }


def scale_of(resource: Resource, obj: Object) -> Object:
    """The `Scale` of a workload."""
    if resource.custom is not None and resource.custom.scale is not None:
        return read_scale(obj, resource.custom.scale)
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = obj["spec"].get("replicas", 0)
    status: Object = {"replicas": obj.get("status", {}).get("replicas", 0)}
    selector = obj["spec"].get("selector")
    if selector:
        # A replication controller's selector is plain labels.
        is_plain = resource.key == "replicationcontrollers"
        status["selector"] = selector_text({"matchLabels": selector} if is_plain else selector)
    spec = {"replicas": replicas} if replicas else {}
    return {**_SCALED_SPEC, "metadata": {key: meta[key] for key in kept if key in meta}, "spec": spec, "status": status}
