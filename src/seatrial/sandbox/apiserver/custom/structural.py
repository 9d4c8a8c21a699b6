"""Whether a definition's schema may be served: structural, without what Kubernetes forbids, with fitting defaults.

A schema is *structural* when every level has a type outside of `allOf`, `anyOf`, `oneOf` and `not`, and those only
constrain what is described outside of them. See "Specifying a structural schema" in the Kubernetes documentation.
"""

from typing import Any, Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.list_types import repetitions
from seatrial.sandbox.apiserver.custom.node import read_node
from seatrial.sandbox.apiserver.custom.patterns import PatternError, compile_pattern
from seatrial.sandbox.apiserver.custom.shaping import prune, set_defaults
from seatrial.sandbox.apiserver.custom.validation import errors_of
from seatrial.sandbox.apiserver.decoding import copy_json
from seatrial.sandbox.apiserver.statuses import FieldError, forbidden_field, invalid, required, unsupported

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED: Final = ("$ref", "additionalItems", "definitions", "dependencies", "id", "patternProperties")
_NOT_IN_JUNCTORS: Final = ("additionalProperties", "default", "description", "title", "type")
_ONLY_OUTSIDE: Final = (
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
)
_WHERE: Final = {"root": "at the root", "items": "for specified array items", "field": "for specified object fields"}


def schema_errors(raw: Object, path: str) -> list[FieldError]:
    """Everything that keeps a schema from being served."""
    found = _forbidden(raw, path)
    if raw.get("type") not in (None, "object"):
        found.append(invalid(f"{path}.type", raw["type"], "must be object at the root"))
    if not found:
        structure = _level_errors(raw, path, "root") + _completeness_errors(raw, path)
        found = sorted(structure, key=lambda error: f"{error.field}: {error.text}")
    if not found:
        found = _default_errors(raw, path) + _rule_errors(raw, path)
    return found


def _parts(raw: Object, path: str) -> list[tuple[Object, str, str]]:
    """The schemas one level below that describe values, with their paths and places."""
    found = [(child, f"{path}.properties[{key}]", "field") for key, child in (raw.get("properties") or {}).items()]
    if isinstance(raw.get("items"), dict):
        found.append((raw["items"], f"{path}.items", "items"))
    if isinstance(raw.get("additionalProperties"), dict):
        found.append((raw["additionalProperties"], f"{path}.additionalProperties", "field"))
    return [entry for entry in found if isinstance(entry[0], dict)]


def _junctors(raw: Object, path: str) -> list[tuple[Object, str]]:
    """The schemas combined at this level, with their paths."""
    found = [
        (part, f"{path}.{key}[{index}]")
        for key in ("allOf", "anyOf", "oneOf")
        for index, part in enumerate(raw.get(key) or ())
    ]
    if isinstance(raw.get("not"), dict):
        found.append((raw["not"], f"{path}.not"))
    return [entry for entry in found if isinstance(entry[0], dict)]


# What is forbidden anywhere.


def _forbidden(raw: Object, path: str) -> list[FieldError]:
    found = [forbidden_field(f"{path}.{key}", f"{key} is not supported") for key in _UNSUPPORTED if raw.get(key)]
    kind = raw.get("type")
    if kind == "null":
        text = "type cannot be set to null, use nullable as an alternative"
        found.append(forbidden_field(f"{path}.type", text))
    elif kind and kind not in _TYPES:
        found.append(unsupported(f"{path}.type", kind, _TYPES))
    if raw.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        found.append(forbidden_field(f"{path}.uniqueItems", text))
    if isinstance(raw.get("items"), list):
        found.append(forbidden_field(f"{path}.items", "items must be a schema object and not an array"))
    if raw.get("additionalProperties") is False:
        text = "additionalProperties cannot be set to false"
        found.append(forbidden_field(f"{path}.additionalProperties", text))
    elif raw.get("additionalProperties") and raw.get("properties"):
        text = "additionalProperties and properties are mutual exclusive"
        found.append(forbidden_field(f"{path}.additionalProperties", text))
    found += _pattern_errors(raw, path) + _list_type_errors(raw, path)
    for child, where, _ in _parts(raw, path):
        found += _forbidden(child, where)
    for child, where in _junctors(raw, path):
        found += _forbidden(child, where)
    return found


def _pattern_errors(raw: Object, path: str) -> list[FieldError]:
    try:
        compile_pattern(raw.get("pattern") or "")
    except PatternError as error:
        detail = f"must be a valid regular expression, but isn't: {error}"
        return [invalid(f"{path}.pattern", raw["pattern"], detail)]
    return []


def _list_type_errors(raw: Object, path: str) -> list[FieldError]:
    kind, keys = raw.get("x-kubernetes-list-type"), raw.get("x-kubernetes-list-map-keys")
    found = []
    if raw.get("x-kubernetes-map-type") not in (None, "atomic", "granular"):
        choices = ("atomic", "granular")
        found.append(unsupported(f"{path}.x-kubernetes-map-type", raw["x-kubernetes-map-type"], choices))
    if kind not in (None, "atomic", "map", "set"):
        found.append(unsupported(f"{path}.x-kubernetes-list-type", kind, ("atomic", "map", "set")))
    if kind and raw.get("type") != "array":
        text = "must be array if x-kubernetes-list-type is specified"
        found.append(invalid(f"{path}.type", raw["type"], text) if raw.get("type") else required(f"{path}.type", text))
    if keys and kind != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        where = f"{path}.x-kubernetes-list-type"
        found.append(invalid(where, kind, text) if kind else required(where, text))
    if kind == "map" and not keys:
        text = "must not be empty if x-kubernetes-list-type is map"
        found.append(required(f"{path}.x-kubernetes-list-map-keys", text))
    items = raw.get("items")
    if kind in ("map", "set") and not isinstance(items, dict):
        text = f"must have a schema if x-kubernetes-list-type is {kind}"
        return [*found, required(f"{path}.items", text)]
    if kind == "map" and isinstance(items, dict):
        found += _key_errors(items, list(keys or ()), path)
    if kind == "set" and isinstance(items, dict):
        found += _set_item_errors(items, path)
    return found


def _key_errors(items: Object, keys: list[str], path: str) -> list[FieldError]:
    found = []
    if items.get("type") != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        found.append(invalid(f"{path}.items.type", items.get("type", ""), text))
    properties = items.get("properties") or {}
    if not set(keys) <= set(properties):
        text = "entries must all be names of item properties"
        found.append(invalid(f"{path}.x-kubernetes-list-map-keys", keys, text))
    for key in keys:
        described = properties.get(key)
        if described is None:
            continue
        if described.get("type") in ("array", "object"):
            text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            found.append(invalid(f"{path}.items.properties[{key}].type", described["type"], text))
        if described.get("default") is None and key not in (items.get("required") or ()):
            text = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            found.append(required(f"{path}.items.properties[{key}].default", text))
    return found


def _set_item_errors(items: Object, path: str) -> list[FieldError]:
    where = f"{path}.items"
    found = []
    if items.get("nullable"):
        text = "cannot be nullable when x-kubernetes-list-type is set"
        found.append(forbidden_field(f"{where}.nullable", text))
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        text = "must be atomic as item of a list with x-kubernetes-list-type=set"
        found.append(invalid(f"{where}.x-kubernetes-map-type", items.get("x-kubernetes-map-type"), text))
    if items.get("type") == "array" and items.get("x-kubernetes-list-type") not in (None, "atomic"):
        text = "must be atomic as item of a list with x-kubernetes-list-type=set"
        found.append(invalid(f"{where}.x-kubernetes-list-type", items["x-kubernetes-list-type"], text))
    return found


# What makes a schema structural.


def _level_errors(raw: Object, path: str, place: str) -> list[FieldError]:
    kind = raw.get("type")
    found = []
    embedded = raw.get("x-kubernetes-embedded-resource")
    int_or_string = raw.get("x-kubernetes-int-or-string")
    keeps = raw.get("x-kubernetes-preserve-unknown-fields")
    if embedded and kind != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        found.append(invalid(f"{path}.type", kind, text) if kind else required(f"{path}.type", text))
    elif not kind and not int_or_string and not keeps:
        found.append(required(f"{path}.type", f"must not be empty {_WHERE[place]}"))
    if embedded and not raw.get("properties") and not keeps:
        text = "must not be empty if x-kubernetes-embedded-resource is true without "
        text += "x-kubernetes-preserve-unknown-fields"
        found.append(required(f"{path}.properties", text))
    if int_or_string and kind:
        text = "must be empty if x-kubernetes-int-or-string is true"
        found.append(invalid(f"{path}.type", kind, text))
    if keeps is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        found.append(invalid(where, value=False, detail="must be true or undefined"))
    if place == "root" or embedded:
        found += _metadata_errors(raw, path)
    for child, where, below in _parts(raw, path):
        found += _level_errors(child, where, below)
    for child, where in _junctors(raw, path):
        found += _junctor_errors(child, where, is_int_or_string=bool(int_or_string))
    return found


def _metadata_errors(raw: Object, path: str) -> list[FieldError]:
    """Of metadata only name and generateName may be described; kind and apiVersion are texts."""
    properties = raw.get("properties") or {}
    found = [
        invalid(f"{path}.properties[{key}].type", properties[key].get("type"), "must be string")
        for key in ("apiVersion", "kind")
        if key in properties and properties[key].get("type") != "string"
    ]
    described = properties.get("metadata")
    if described is None:
        return found
    where = f"{path}.properties[metadata]"
    if described.get("type") != "object":
        found.append(invalid(f"{where}.type", described.get("type"), "must be object"))
    extra = set(described) - {"type", "properties", "description", "title"}
    if extra or not set(described.get("properties") or ()) <= {"name", "generateName"}:
        text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        found.append(forbidden_field(where, text))
    return found


def _junctor_errors(raw: Object, path: str, *, is_int_or_string: bool) -> list[FieldError]:
    allowed = {"type"} if is_int_or_string and raw.get("type") in ("integer", "string") else set()
    found = [
        forbidden_field(f"{path}.{key}", "must be empty to be structural")
        for key in _NOT_IN_JUNCTORS
        if key not in allowed and raw.get(key) not in (None, "", {})
    ]
    outside = [key for key in _ONLY_OUTSIDE if raw.get(key)]
    found += [forbidden_field(f"{path}.{key}", "must be empty to be structural") for key in outside]
    if raw.get("nullable"):
        found.append(forbidden_field(f"{path}.nullable", "must be false to be structural"))
    if raw.get("x-kubernetes-validations") and not _is_in_all_of(path):
        where = f"{path}.x-kubernetes-validations"
        found.append(forbidden_field(where, "must be empty to be structural"))
    children = [(child, where) for child, where, _ in _parts(raw, path)] + _junctors(raw, path)
    for child, where in children:
        found += _junctor_errors(child, where, is_int_or_string=is_int_or_string and not _is_part(where))
    return found


def _is_in_all_of(path: str) -> bool:
    """Whether a part is combined by `allOf` alone: only there rules may stand."""
    return not any(word in path for word in (".anyOf[", ".oneOf[", ".not"))


def _is_part(path: str) -> bool:
    return path.endswith((".items", "]")) and ".properties[" in path.rpartition("Of[")[2]


def _completeness_errors(raw: Object, path: str) -> list[FieldError]:
    """Fields constrained in a combined schema must be described outside of it."""
    found = []
    for part, where in _junctors(raw, path):
        found += _missing(part, raw, where, path)
    for child, where, _ in _parts(raw, path):
        found += _completeness_errors(child, where)
    return found


def _missing(part: Object, described: Object, where: str, path: str) -> list[FieldError]:
    found = []
    known = described.get("properties") or {}
    for key, child in (part.get("properties") or {}).items():
        if key in known:
            found += _missing(child, known[key], f"{where}.properties[{key}]", f"{path}.properties[{key}]")
        elif not isinstance(described.get("additionalProperties"), dict):
            text = f"because it is defined in {where}.properties[{key}]"
            found.append(required(f"{path}.properties[{key}]", text))
    items, inner = part.get("items"), described.get("items")
    if isinstance(items, dict):
        if isinstance(inner, dict):
            found += _missing(items, inner, f"{where}.items", f"{path}.items")
        else:
            found.append(required(f"{path}.items", f"because it is defined in {where}.items"))
    for child, below in _junctors(part, where):
        found += _missing(child, described, below, path)
    return found


# Defaults.


def _default_errors(raw: Object, path: str) -> list[FieldError]:
    found = []
    if raw.get("default") is not None:
        found += _one_default(raw, f"{path}.default")
    for child, where, _ in _parts(raw, path):
        found += _default_errors(child, where)
    return found


def _rule_errors(raw: Object, path: str) -> list[FieldError]:
    node = read_node(raw)
    if not node.has_rules:
        return []
    from seatrial.sandbox.apiserver.custom.rule_syntax import rule_errors  # noqa: PLC0415 -- few schemas have rules

    return rule_errors(node, path)


def _one_default(raw: Object, path: str) -> list[FieldError]:
    value: Any = copy_json(raw["default"])
    node = read_node(raw)
    unknown = prune(value, node)
    if unknown:
        return [invalid(path, raw["default"], f"must not have unknown fields: {', '.join(unknown)}")]
    set_defaults(value, node)
    return errors_of(value, node, path) + repetitions(value, node, path)
