"""One version of a custom kind, as the server asks about it: decoding, defaults, validation, reading what is stored.

A `Resource` that a definition brought carries one of these; for built-in resources `strategies` and `schema` answer
the same questions.
"""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.custom import list_types, validation
from seatrial.sandbox.apiserver.custom.columns import PrinterColumn, read_columns
from seatrial.sandbox.apiserver.custom.definition import is_true, storage_version
from seatrial.sandbox.apiserver.custom.field_types import structure_of
from seatrial.sandbox.apiserver.custom.node import ABSENT, Node, read_node
from seatrial.sandbox.apiserver.custom.scale import ScalePaths, scale_errors
from seatrial.sandbox.apiserver.custom.shaping import embedded_resources, prune, set_defaults
from seatrial.sandbox.apiserver.decoding import Decoder, DecodingError
from seatrial.sandbox.apiserver.schema import FieldType, Structure
from seatrial.sandbox.apiserver.statuses import FieldError, invalid
from seatrial.sandbox.apiserver.strategies.base import Strategy

_META = Structure("CustomResource", {"metadata": FieldType("struct", "meta.v1.ObjectMeta")}, frozenset(), atomic=False)
_EXACT = 1 << 53


@dataclass(frozen=True, slots=True, eq=False)
class CustomKind:
    """One served version of a definition.

    Args:
        stored_version: the version objects are stored in.
        is_reshaped: whether what is stored may differ from what this version shows.
        is_terminating: whether the definition is being deleted.
        digest: a short name of this version's content, so that documents about it can be told apart.
    """

    group: str
    version: str
    kind: str
    plural: str
    list_kind: str
    stored_version: str
    node: Node
    structure: Structure
    columns: tuple[PrinterColumn, ...]
    scale: ScalePaths | None
    has_status: bool
    selectable: tuple[str, ...]
    deprecation: str
    is_reshaped: bool
    is_terminating: bool
    digest: str
    strategy: Strategy = field(default_factory=Strategy)

    def __repr__(self) -> str:
        return f"<CustomKind {self.api_version} {self.kind} {self.digest}>"

    @property
    def api_version(self) -> str:
        """`group/version`."""
        return f"{self.group}/{self.version}"

    def decode(self, body: Any, call: Call) -> Object:
        """A client's body as a clean object: metadata typed, unknown fields gone and reported; 400."""
        obj: Object = _copied(body or {})
        if not obj.get("kind"):
            shown = msgspec.json.encode(body or {}).decode()
            raise statuses.bad_request(f"Object 'Kind' is missing in '{shown}'")
        given = str(obj.get("apiVersion") or "")
        if given != self.api_version:
            text = f"the API version in the data ({given}) does not match the expected API version ({self.api_version})"
            raise statuses.bad_request(text)
        unknown = self._decode_metadata(obj)
        unknown += prune(obj, self.node, is_resource=True)
        self._report(unknown, call)
        return obj

    def _decode_metadata(self, obj: Object) -> list[str]:
        decoder = Decoder()
        if not isinstance(obj.get("metadata") or {}, dict):
            raise self._undecodable("json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta")
        try:
            obj["metadata"] = decoder.decode({"metadata": obj.get("metadata") or {}}, _META).get("metadata", {})
            for _, inner in embedded_resources(obj, self.node):
                if isinstance(inner.get("metadata"), dict):
                    inner["metadata"] = decoder.decode({"metadata": inner["metadata"]}, _META).get("metadata", {})
        except DecodingError as error:
            raise self._undecodable(str(error)) from error
        return decoder.unknown

    def _undecodable(self, why: str) -> ApiError:
        text = f'{self.kind} in version "{self.version}" cannot be handled as a {self.kind}: {why}'
        return statuses.bad_request(text)

    def _report(self, unknown: list[str], call: Call) -> None:
        if not unknown or call.validation == "Ignore":
            return
        texts = [f'unknown field "{path}"' for path in unknown]
        if call.validation == "Strict":
            raise self._undecodable("strict decoding error: " + ", ".join(texts))
        for text in texts:
            call.warn(text)

    def check_creation(self, name: str) -> None:
        """Nothing is made while the definition goes; 403."""
        if self.is_terminating:
            why = "create not allowed while custom resource definition is terminating"
            raise statuses.forbidden(self.group, self.plural, name, why)

    def check_put(self, wanted: Object) -> None:
        """A PUT has to say which version it replaces; 422."""
        meta = wanted.get("metadata") or {}
        if not meta.get("resourceVersion"):
            problem = invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise statuses.unprocessable(self.group, self.plural, meta.get("name", ""), [problem])

    def errors(self, new: Object, old: Object | None = None) -> list[FieldError]:
        """Everything wrong with an object; what `old` has already had wrong is let be."""
        before: Any = ABSENT if old is None else old
        found = [
            invalid(key, new.get(key), f"must be {wanted}")
            for key, wanted in (("kind", self.kind), ("apiVersion", self.api_version))
            if new.get(key) != wanted
        ]
        found += validation.errors_of(_without_metadata(new), self.node, old=_without_metadata(before))
        if self.scale is not None:
            found += scale_errors(new, self.scale)
        found += _embedded_errors(new, self.node)
        if old is None or not list_types.repetitions(old, self.node):
            found += list_types.repetitions(new, self.node)
        if not self.node.has_rules:
            return found
        from seatrial.sandbox.apiserver.custom import rules  # noqa: PLC0415 -- few kinds have rules

        return found + rules.errors_of(new, self.node, found, before)

    def read(self, obj: Object) -> Object:
        """A stored object as this version shows it."""
        if not self.is_reshaped:
            return obj
        shown: Object = _copied({key: value for key, value in obj.items() if key != "metadata"})
        shown |= {"apiVersion": self.api_version, "metadata": obj["metadata"]}
        prune(shown, self.node, is_resource=True)
        set_defaults(shown, self.node)
        return shown

    def to_stored(self, obj: Object) -> Object:
        """An object of this version as it is stored."""
        return {**obj, "apiVersion": f"{self.group}/{self.stored_version}"}

    def changes_generation(self, new: Object, old: Object) -> bool:
        """Whether an update counts: anything but metadata, and status where that is written by itself."""
        ignored = ("metadata", "status") if self.has_status else ("metadata",)
        return any(new.get(key) != old.get(key) for key in {*new, *old} if key not in ignored)


def read_kind(definition: Object, version: Object, *, is_reshaped: bool) -> CustomKind:
    """A version of a definition."""
    spec, subresources = definition["spec"], version.get("subresources") or {}
    names = spec["names"]
    node = read_node(version["schema"]["openAPIV3Schema"])
    api_version = f"{spec['group']}/{version['name']}"
    scale = subresources.get("scale")
    deprecation = ""
    if version.get("deprecated"):
        deprecation = version.get("deprecationWarning") or f"{api_version} {names['kind']} is deprecated"
    found = CustomKind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        list_kind=names["listKind"],
        stored_version=storage_version(definition),
        node=node,
        structure=structure_of(node, f"custom.{api_version}.{names['kind']}"),
        columns=read_columns(version),
        scale=scale
        and ScalePaths(scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", "")),
        has_status="status" in subresources,
        selectable=tuple(entry["jsonPath"].lstrip(".") for entry in version.get("selectableFields") or ()),
        deprecation=deprecation,
        is_reshaped=is_reshaped or storage_version(definition) != version["name"],
        is_terminating=is_true(definition, "Terminating"),
        digest=hashlib.sha256(msgspec.json.encode(version)).hexdigest()[:16],
    )
    return replace(found, strategy=_strategy(found))


def _strategy(kind: CustomKind) -> Strategy:
    """The hooks that every kind has; a custom one's updates are judged by `CustomKind.errors`."""
    return Strategy(
        defaults=lambda obj: set_defaults(obj, kind.node),
        prepare_status=_keep_all_but_status,
        validate=kind.errors,
        warnings=_finalizer_warnings,
        keeps_status=not kind.has_status,
    )


def _finalizer_warnings(obj: Object) -> list[str]:
    """Finalizers that look as if they belonged to Kubernetes."""
    text = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other "
    text += "finalizer writers"
    own = ("foregroundDeletion", "orphan")
    names = [name for name in obj["metadata"].get("finalizers") or () if "/" not in name and name not in own]
    return [f'metadata.finalizers: "{name}": {text}' for name in names]


def _keep_all_but_status(new: Object, old: Object) -> None:
    """Through the status subresource not even labels can be changed."""
    kept = {**old["metadata"], "resourceVersion": new["metadata"].get("resourceVersion")}
    new["metadata"] = {key: value for key, value in kept.items() if key != "managedFields"}


def _embedded_errors(obj: Object, node: Node) -> list[FieldError]:
    """A resource inside another one needs a kind and an apiVersion."""
    found = []
    for path, inner in embedded_resources(obj, node):
        for key in ("apiVersion", "kind"):
            if not inner.get(key):
                found.append(statuses.required(f"{path}.{key}", "must not be empty"))
            elif not isinstance(inner[key], str):
                found.append(invalid(f"{path}.{key}", inner[key], "must be a string"))
    return found


def _without_metadata(obj: Any) -> Any:
    """What a schema judges: the server answers for metadata."""
    if not isinstance(obj, dict):
        return obj
    meta = obj.get("metadata") or {}
    return {**obj, "metadata": {key: meta[key] for key in ("name", "generateName") if key in meta}}


def _copied(value: Any) -> Any:
    """A deep copy in which 3.0 is 3, as Go writes it."""
    if isinstance(value, dict):
        return {key: _copied(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_copied(entry) for entry in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value
