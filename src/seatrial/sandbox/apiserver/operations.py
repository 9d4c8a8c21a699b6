"""Reading and writing objects by Kubernetes' rules: the one path that HTTP requests and `LocalApi` share.

Everything here is synchronous and runs on the event loop, so that checking and writing are one step. What is
special to a kind is in its strategy; deletion is in `deletion`, the subresources with rules of their own in
`subresources`.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import metadata, schema, statuses
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.admission.chain import Admission
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.custom.scale import without_times
from seatrial.sandbox.apiserver.decoding import Decoder, DecodingError, copy_json
from seatrial.sandbox.apiserver.patching import managed_fields
from seatrial.sandbox.apiserver.resources import Registry, Resource
from seatrial.sandbox.apiserver.selectors import Selector
from seatrial.sandbox.apiserver.store import Record, Store
from seatrial.sandbox.apiserver.strategies.base import Strategy
from seatrial.sandbox.apiserver.strategies.catalogue import strategy_of

Transform = Callable[[Object], Object]

# On an update these are validated as if they were created, and then as an update.
_CHECKED_WHOLE = ("pods", "nodes", "services", "configmaps", "secrets", "serviceaccounts")


class Operations:
    """The verbs of the API."""

    def __init__(self, *, store: Store, registry: Registry, service_cidr: str, ca_data: str = "") -> None:
        self.store = store
        self.registry = registry
        self.service_cidr = service_cidr
        self.ca_data = ca_data
        self.admission = Admission(self, store)

    # What strategies may look up (`strategies.base.Surroundings`).

    def lookup(self, table: str, namespace: str, name: str) -> Object | None:
        """Another object, or None."""
        record = self.store.get(table, namespace, name)
        return record.object if record else None

    def objects(self, table: str, namespace: str | None = None) -> list[Object]:
        """All objects of a table."""
        return [record.object for record in self.store.list(table, namespace)]

    # Reading.

    def record(self, resource: Resource, namespace: str | None, name: str) -> Record:
        """One object's record; 404."""
        record = self.store.get(resource.table, namespace or "", name)
        if record is None:
            raise statuses.not_found(resource.group, resource.plural, name)
        return record

    def select(self, resource: Resource, namespace: str | None, selector: Selector) -> list[Record]:
        """The records of a resource that a selector picks."""
        records = self.store.list(resource.table, namespace)
        if selector.everything:
            return records
        return [record for record in records if selector.matches(record.object)]

    # Writing.

    def decode(
        self,
        resource: Resource,
        body: Any,
        call: Call,
        *,
        kind: str = "",
        api_version: str = "",
        literal: bool = False,
    ) -> Object:
        """A client's body as a clean object of the resource's kind; 400 when it can't be one."""
        if resource.custom is not None and api_version in ("", resource.api_version):
            return resource.custom.decode(body, call)
        kind, api_version = kind or resource.kind, api_version or resource.api_version
        obj = body or {}
        version = str(obj.get("apiVersion") or api_version)
        given = str(obj.get("kind") or kind)
        if (version, given) != (api_version, kind):
            raise self._wrong_kind(version, given, kind, api_version)
        root, undescribed = schema.root(api_version, kind), {}
        if root is None:
            root = schema.BARE
            undescribed = copy_json({key: value for key, value in obj.items() if key not in root.fields})
            obj = {key: value for key, value in obj.items() if key in root.fields}
        decoder = Decoder(literal=literal)
        try:
            decoded = decoder.decode(obj, root)
        except DecodingError as error:
            version = api_version.rpartition("/")[2]
            message = f'{kind} in version "{version}" cannot be handled as a {kind}: {error}'
            raise statuses.bad_request(message) from error
        decoded.setdefault("metadata", {})
        report_unknown(decoder.unknown, call, kind, api_version)
        decoded.pop("kind", None)
        decoded.pop("apiVersion", None)
        return {"kind": kind, "apiVersion": api_version, **decoded, **undescribed}

    def _wrong_kind(self, version: str, given: str, kind: str, api_version: str) -> ApiError:
        known = self.registry.by_kind(version, given)
        short = version.rpartition("/")[2]
        prefix = f'{given} in version "{short}" cannot be handled as a {kind}: '
        if known is not None:
            internal = api_version.rpartition("/")[0].split(".")[0] or "core"
            return statuses.bad_request(
                f"{prefix}converting ({short}.{given}) to ({internal}.{kind}): unknown conversion"
            )
        scheme = 'in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"'
        return statuses.bad_request(f'{prefix}no kind "{given}" is registered for version "{version}" {scheme}')

    def create(
        self,
        resource: Resource,
        namespace: str | None,
        body: Any,
        call: Call,
        *,
        track: Callable[[Object, Object], list[Object]] | None = None,
    ) -> Object:
        """Create an object: decode, default, admit, validate, store. `track` is as in `update`."""
        obj = self.decode(resource, body, call)
        if resource.custom is not None:
            resource.custom.check_creation(obj["metadata"].get("name", ""))
        self._place(resource, namespace, obj)
        strategy = strategy_of(resource)
        meta = obj["metadata"]
        self._begin(resource, meta)
        strategy.defaults(obj)
        if strategy.empty_status is not None:
            obj["status"] = copy_json(strategy.empty_status)
        elif resource.has_status and not strategy.keeps_status:
            obj.pop("status", None)
        excluded = ("status",) if resource.has_status else ()
        tracked = (
            track({}, obj)
            if track is not None
            else managed_fields.track_update(
                None, obj, manager=call.manager, subresource="", excluded=excluded, root=resource.structure
            )
        )
        # Before its name is generated, an object is known by the prefix of it.
        self.admission.admit(self._attempt("create", resource, obj, None, call))
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + metadata.generated_suffix()
        strategy.prepare_create(obj)
        strategy.admit(obj, self)
        self._validate_create(resource, strategy, obj)
        charges = self.admission.check(self._attempt("create", resource, obj, None, call))
        for warning in strategy.warnings(obj):
            call.warn(warning)
        if tracked:
            meta["managedFields"] = tracked
        self._check_name_free(resource, meta)
        if call.dry_run:
            return obj
        stored = self._put(resource, obj)
        self.admission.settle(charges)
        if resource.key == "namespaces":
            self._furnish_namespace(meta["name"])
        return stored

    @staticmethod
    def _attempt(
        verb: Literal["create", "update"],
        resource: Resource,
        new: Object,
        old: Object | None,
        call: Call,
        subresource: str = "",
    ) -> Attempt:
        meta = new["metadata"]
        name = meta.get("name") or meta.get("generateName", "")
        return Attempt(verb, resource, meta.get("namespace", ""), name, new, old, call, subresource)

    @staticmethod
    def _begin(resource: Resource, meta: Object) -> None:
        """The metadata that a life begins with."""
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields", "generation"):
            meta.pop(key, None)
        if meta.pop("resourceVersion", None):
            raise statuses.failure(500, "", "resourceVersion should not be set on objects to be created")
        meta["uid"] = metadata.new_uid()
        meta["creationTimestamp"] = metadata.now()
        if resource.has_generation:
            meta["generation"] = 1

    def _check_name_free(self, resource: Resource, meta: Object) -> None:
        existing = self.store.get(resource.table, meta.get("namespace", ""), meta["name"])
        if existing is not None:
            terminating = "deletionTimestamp" in existing.object["metadata"] and resource.key == "pods"
            raise statuses.already_exists(resource.group, resource.plural, meta["name"], terminating=terminating)

    def _place(self, resource: Resource, namespace: str | None, obj: Object) -> None:
        """Settle the namespace: the path's and the body's must agree."""
        meta = obj["metadata"]
        if not resource.namespaced:
            meta.pop("namespace", None)
            return
        if meta.get("namespace") and namespace and meta["namespace"] != namespace:
            text = "the namespace of the provided object does not match the namespace sent on the request"
            raise statuses.bad_request(text)
        meta["namespace"] = namespace or meta.get("namespace") or ""

    def _validate_create(self, resource: Resource, strategy: Strategy, obj: Object) -> None:
        errors = metadata.errors_of(
            obj,
            namespaced=resource.namespaced,
            name_rule=strategy.name_rule,
            is_extension=resource.is_extension,
        )
        errors += strategy.validate(obj)
        if errors:
            name = obj["metadata"].get("name", "")
            raise statuses.unprocessable(resource.group, resource.kind, name, errors)

    def _furnish_namespace(self, name: str) -> None:
        """What every namespace holds: its default account and the cluster's certificate authority."""
        call = Call(manager="kube-controller-manager")
        account = {"metadata": {"name": "default"}}
        self.create(self.registry.of("serviceaccounts"), name, account, call)
        text = (
            "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints "
            "such as the "
            "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
            "Kubernetes clusters."
        )
        bundle = {
            "metadata": {"name": "kube-root-ca.crt", "annotations": {"kubernetes.io/description": text}},
            "data": {"ca.crt": self.ca_data or "none\n"},
        }
        self.create(self.registry.of("configmaps"), name, bundle, call)

    def update(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        transform: Transform,
        call: Call,
        *,
        subresource: str = "",
        track: Callable[[Object, Object], list[Object]] | None = None,
    ) -> Object:
        """Change an object: `transform` makes the wanted state from the current one; the rest is checked here.

        `track` replaces the bookkeeping of managedFields (an apply does its own).
        """
        old = self.record(resource, namespace, name).object
        if resource.custom is not None:
            old = resource.custom.read(old)
        wanted = transform(old)
        if resource.custom is not None and call.is_put:
            resource.custom.check_put(wanted)
        self.check_identity(name, namespace, wanted)
        new = self._decode_wanted(resource, wanted, old, call)
        self._check_preconditions(resource, name, new, old)
        if call.is_put:
            self._check_uid(resource, new, old)
        self._carry_over(new, old)
        strategy = strategy_of(resource)
        strategy.defaults(new)
        self._separate(resource, strategy, new, old, subresource)
        tracked = self._tracked(resource, wanted, new, old, call, subresource) if track is None else track(old, new)
        attempt = self._attempt("update", resource, new, old, call, subresource)
        self.admission.admit(attempt)
        if strategy.admit_update is not None:
            strategy.admit_update(new, old, self)
        self._validate_update(resource, strategy, new, old, subresource)
        charges = self.admission.check(attempt)
        self._count_generation(resource, new, old, subresource)
        stored = self._store(resource, new, old, tracked, call)
        if not call.dry_run:
            self.admission.settle(charges)
        return stored

    @staticmethod
    def _tracked(
        resource: Resource, wanted: Object, new: Object, old: Object, call: Call, subresource: str
    ) -> list[Object]:
        """The managedFields after an update: before admission, since what the server adds by itself is nobody's."""
        tracked = managed_fields.track_update(
            old,
            new,
            manager=call.manager,
            subresource=subresource,
            excluded=resource.unowned(subresource),
            known=managed_fields.given_entries(wanted, old, subresource=subresource),
            root=resource.structure,
        )
        if resource.custom is not None and subresource == "scale":
            return without_times(tracked, subresource)
        return tracked

    def _decode_wanted(self, resource: Resource, wanted: Object, old: Object, call: Call) -> Object:
        """Decode what a writer wants; what a patch made is refused in the words for patches."""
        if call.is_put:
            return self.decode(resource, wanted, call)
        try:
            if wanted.get("kind") != resource.kind:
                raise statuses.bad_request("the patch changes the kind")
            kept = _left_alone(resource, wanted, old)
            given = {key: value for key, value in wanted.items() if key not in kept}
            decoded = self.decode(resource, given, call) | kept
            return {key: decoded[key] for key in (*wanted, *decoded) if key in decoded}
        except ApiError as error:
            text = error.status["message"].partition(" cannot be handled as a ")[2].partition(": ")[2]
            shown = msgspec.json.encode(wanted).decode()
            problem = statuses.invalid("patch", shown, text or error.status["message"])
            raise statuses.unprocessable("", "", "", [problem]) from error

    @staticmethod
    def _check_uid(resource: Resource, new: Object, old: Object) -> None:
        """A PUT that names another uid means an object that is gone."""
        wanted, found = new["metadata"].get("uid"), old["metadata"]["uid"]
        if wanted and wanted != found:
            name, namespace = old["metadata"]["name"], old["metadata"].get("namespace", "")
            key = "/".join(filter(None, ("/registry", resource.plural, namespace, name)))
            why = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            why += f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
            raise statuses.conflict(resource.group, resource.plural, name, why)

    @staticmethod
    def _carry_over(new: Object, old: Object) -> None:
        """What a writer may leave out: the server's own metadata."""
        meta, before = new["metadata"], old["metadata"]
        meta["creationTimestamp"] = before["creationTimestamp"]
        for key in ("uid", "namespace", "name"):
            if key in before:
                meta.setdefault(key, before[key])
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds"):
            if key in before:
                meta.setdefault(key, before[key])
        meta.pop("managedFields", None)
        meta.pop("selfLink", None)
        if "generation" in before:
            meta["generation"] = before["generation"]
        else:
            meta.pop("generation", None)
        meta["resourceVersion"] = before["resourceVersion"]
        if before.get("generateName"):
            meta.setdefault("generateName", before["generateName"])

    @staticmethod
    def check_identity(name: str, namespace: str | None, wanted: Object) -> None:
        """A body can't name another object than the URL; 400."""
        meta = wanted.get("metadata")
        if not isinstance(meta, dict):
            return
        given = meta.get("name")
        if given and given != name:
            text = f"the name of the object ({given}) does not match the name on the URL ({name})"
            raise statuses.bad_request(text)
        if namespace and meta.get("namespace") and meta["namespace"] != namespace:
            text = f"the namespace of the object ({meta['namespace']}) does not match the namespace on the URL "
            raise statuses.bad_request(f"{text}({namespace})")

    @staticmethod
    def _check_preconditions(resource: Resource, name: str, new: Object, old: Object) -> None:
        version = new["metadata"].get("resourceVersion")
        if version and version not in (old["metadata"]["resourceVersion"], "0"):
            raise statuses.conflict(resource.group, resource.plural, name)

    @staticmethod
    def _separate(resource: Resource, strategy: Strategy, new: Object, old: Object, subresource: str) -> None:
        """A status write changes nothing but status, any other write everything but status."""
        if subresource == "status":
            strategy.prepare_status(new, old)
            for key in [key for key in (*new, *old) if key not in ("kind", "apiVersion", "metadata", "status")]:
                if key in old:
                    new[key] = old[key]
                else:
                    new.pop(key, None)
        else:
            if resource.has_status:
                if "status" in old:
                    new["status"] = old["status"]
                else:
                    new.pop("status", None)
            strategy.prepare_update(new, old)

    def _validate_update(
        self, resource: Resource, strategy: Strategy, new: Object, old: Object, subresource: str
    ) -> None:
        errors = metadata.update_errors(new, old)
        if not errors or new["metadata"].get("finalizers") == old["metadata"].get("finalizers"):
            more = metadata.errors_of(
                new,
                namespaced=resource.namespaced,
                name_rule=strategy.name_rule,
                is_extension=resource.is_extension,
            )
            errors += more
        # Labels and annotations are looked at more than once on an update, and each look lists what it finds.
        labelled = [error for error in errors if error.field in ("metadata.labels", "metadata.annotations")]
        errors += labelled * (3 if resource.key in _CHECKED_WHOLE else 2)
        if resource.custom is not None:
            errors += resource.custom.errors(new, old)
        elif subresource != "status":
            found = strategy.validate_update(new, old)
            if new.get("spec") != old.get("spec") or resource.key != "pods":
                more = strategy.validate(new)
                # Workloads are checked as a whole before they are compared with what they were.
                first, second = (more, found) if resource.group == "apps" else (found, more)
                found = first + [error for error in second if error not in first]
            errors += [error for error in found if error not in errors]
        if errors:
            raise statuses.unprocessable(resource.group, resource.kind, new["metadata"]["name"], errors)

    @staticmethod
    def _count_generation(resource: Resource, new: Object, old: Object, subresource: str) -> None:
        if not resource.has_generation:
            return
        if resource.custom is not None:
            if resource.custom.changes_generation(new, old):
                new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
            return
        ignored = ("metadata", "status", "kind", "apiVersion")
        changed = any(new.get(key) != old.get(key) for key in (*new, *old) if key not in ignored)
        # Deployments alone count annotations too: a rollout's cause is one.
        if changed or (resource.key == "deployments.apps" and not subresource and _annotations_differ(new, old)):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def _store(self, resource: Resource, new: Object, old: Object, tracked: list[Object], call: Call) -> Object:
        """Write unless nothing changed; an object whose last finalizer went while it was being deleted goes."""
        if tracked:
            new["metadata"]["managedFields"] = tracked
        if new == old:
            return old
        if call.dry_run:
            return new
        namespace, name = new["metadata"].get("namespace", ""), new["metadata"]["name"]
        if is_finished(resource, new):
            self.store.remove(resource.table, namespace, name)
            return new
        return self._put(resource, new)

    def _put(self, resource: Resource, obj: Object) -> Object:
        """Store an object; what is returned is in the form it was given in."""
        kept = resource.custom.to_stored(obj) if resource.custom is not None else obj
        meta = obj["metadata"]
        stored = self.store.put(resource.table, meta.get("namespace", ""), meta["name"], kept).object
        return stored if kept is obj else {**stored, "apiVersion": obj["apiVersion"]}


def _left_alone(resource: Resource, wanted: Object, old: Object) -> Object:
    """Copies of the parts that a patch took over as they were: they need no decoding."""
    if resource.custom is not None:
        return {}
    same = {key: value for key, value in wanted.items() if key != "metadata" and value is old.get(key)}
    return {key: copy_json(value) for key, value in same.items() if isinstance(value, dict | list)}


def is_finished(resource: Resource, obj: Object) -> bool:
    """Whether nothing holds a deleted object any longer: no finalizers, no grace period left."""
    meta = obj["metadata"]
    if "deletionTimestamp" not in meta or meta.get("finalizers"):
        return False
    if resource.key == "namespaces" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds", 0)


def report_unknown(unknown: list[str], call: Call, kind: str, api_version: str) -> None:
    """Unknown fields: refused under Strict, mentioned under Warn."""
    if not unknown or call.validation == "Ignore":
        return
    texts = [f'unknown field "{path}"' for path in unknown]
    if call.validation == "Strict":
        version = api_version.rpartition("/")[2]
        problem = "strict decoding error: " + ", ".join(texts)
        raise statuses.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {problem}')
    for text in texts:
        call.warn(text)


def _annotations_differ(new: Object, old: Object) -> bool:
    return (new["metadata"].get("annotations") or {}) != (old["metadata"].get("annotations") or {})
