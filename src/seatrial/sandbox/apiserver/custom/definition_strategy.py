"""The rules for CustomResourceDefinitions themselves: defaults, what may be changed, what is refused."""

from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.definition import is_hoisted, is_true
from seatrial.sandbox.apiserver.custom.json_path import JsonPathError, parse_path
from seatrial.sandbox.apiserver.decoding import copy_json
from seatrial.sandbox.apiserver.metadata import SERVICE_LABEL, SERVICE_RULE, SUBDOMAIN_RULE
from seatrial.sandbox.apiserver.selectors import SUBDOMAIN
from seatrial.sandbox.apiserver.statuses import FieldError, invalid, required, unsupported
from seatrial.sandbox.apiserver.strategies.base import Strategy, fill

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_APPROVED = "api-approved.kubernetes.io"


def _defaults(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {"plural": "", "kind": ""})
    spec.setdefault("group", "")
    spec.setdefault("versions", None)
    if names.get("kind"):
        fill(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    fill(spec, scope="Namespaced")
    if not spec.get("scope"):
        spec["scope"] = "Namespaced"
    if not (spec.get("conversion") or {}).get("strategy"):
        spec["conversion"] = {**(spec.get("conversion") or {}), "strategy": "None"}


def _prepare_create(obj: Object) -> None:
    stored = [version.get("name") for version in obj["spec"].get("versions") or () if version.get("storage")]
    obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}


def _prepare_update(new: Object, old: Object) -> None:
    """A version that becomes the stored one is remembered: objects of it may lie in the store from here on."""
    status = new.get("status") or old.get("status") or {}
    stored = list(status.get("storedVersions") or ())
    for version in new["spec"].get("versions") or ():
        if version.get("storage") and version.get("name") not in stored:
            stored.append(version["name"])
    new["status"] = {**copy_json(status), "storedVersions": stored}


def _errors(obj: Object) -> list[FieldError]:
    """Everything wrong with a definition, in Kubernetes' order."""
    spec = obj["spec"]
    found = []
    name, names, versions = obj["metadata"].get("name", ""), spec["names"], list(spec.get("versions") or ())
    if name != f"{names.get('plural', '')}.{spec['group']}":
        found.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    found += _group_errors(spec["group"])
    if spec["scope"] not in ("Cluster", "Namespaced"):
        found.append(unsupported("spec.scope", spec["scope"], ("Cluster", "Namespaced")))
    if spec.get("preserveUnknownFields"):
        text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        found.append(invalid("spec.preserveUnknownFields", value=True, detail=text))
    found += _version_errors(versions)
    found += _name_errors(names)
    found += _part_errors(versions, 0, are_shared=True) if versions else []
    found += _conversion_errors(spec["conversion"])
    if not obj["status"].get("storedVersions"):
        found.append(invalid("status.storedVersions", None, "must have at least one stored version"))
    return found + _approval_errors(obj)


def _warnings(obj: Object) -> list[str]:
    if obj["spec"]["conversion"]["strategy"] != "Webhook":
        return []
    return ["the sandbox calls no conversion webhooks: between versions nothing but apiVersion is changed"]


def _group_errors(group: str) -> list[FieldError]:
    if not group:
        return [required("spec.group")]
    if not SUBDOMAIN.match(group):
        return [invalid("spec.group", group, SUBDOMAIN_RULE)]
    if "." not in group:
        return [invalid("spec.group", group, "should be a domain with at least one dot")]
    return []


def _approval_errors(obj: Object) -> list[FieldError]:
    """Domains of Kubernetes' own ask for an annotation."""
    approval = (obj["metadata"].get("annotations") or {}).get(_APPROVED, "")
    if approval or not obj["spec"]["group"].endswith((".k8s.io", ".kubernetes.io")):
        return []
    text = 'protected groups must have approval annotation "api-approved.kubernetes.io", see '
    text += "https://github.com/kubernetes/enhancements/pull/1111"
    return [required(f"metadata.annotations[{_APPROVED}]", text)]


def _name_errors(names: Object) -> list[FieldError]:
    found = []
    for key in ("plural", "singular"):
        value = names.get(key, "")
        if not value and key == "plural":
            found.append(required(f"spec.names.{key}"))
        elif value and not SERVICE_LABEL.match(value):
            found.append(invalid(f"spec.names.{key}", value, SERVICE_RULE))
    for key in ("kind", "listKind"):
        value = names.get(key, "")
        if not value:
            found.append(required(f"spec.names.{key}"))
        elif not SERVICE_LABEL.match(value.lower()):
            text = f"may have mixed case, but should otherwise match: {SERVICE_RULE}"
            found.append(invalid(f"spec.names.{key}", value, text))
    found += [
        invalid(f"spec.names.{key}[{index}]", value, SERVICE_RULE)
        for key in ("shortNames", "categories")
        for index, value in enumerate(names.get(key) or ())
        if not SERVICE_LABEL.match(value)
    ]
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        found.append(invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same"))
    return found


def _conversion_errors(conversion: Object) -> list[FieldError]:
    kind = conversion.get("strategy", "")
    if kind not in ("None", "Webhook"):
        return [unsupported("spec.conversion.strategy", kind, ("None", "Webhook"))]
    if kind == "Webhook" and not (conversion.get("webhook") or {}).get("clientConfig"):
        return [required("spec.conversion.webhook.clientConfig", "required when strategy is set to Webhook")]
    return []


def _version_errors(versions: list[Object]) -> list[FieldError]:
    found = [
        required(f"spec.versions[{index}].schema.openAPIV3Schema")
        for index, version in enumerate(versions)
        if _schema_of(version) is None
    ]
    names = [version.get("name", "") for version in versions]
    for index, version in enumerate(versions):
        where = f"spec.versions[{index}]"
        if not SERVICE_LABEL.match(names[index]):
            found.append(invalid(f"{where}.name", names[index], SERVICE_RULE))
        if version.get("deprecationWarning") and not version.get("deprecated"):
            text = "can only be set for deprecated versions"
            found.append(invalid(f"{where}.deprecationWarning", version["deprecationWarning"], text))
        found += _part_errors(versions, index, are_shared=False)
    if len(set(names)) < len(names):
        found.append(invalid("spec.versions", names, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        found.append(invalid("spec.versions", names, "must have exactly one version marked as storage version"))
    return found


def _schema_of(version: Object) -> Object | None:
    found: Object | None = (version.get("schema") or {}).get("openAPIV3Schema")
    return found


def _part_errors(versions: list[Object], index: int, *, are_shared: bool) -> list[FieldError]:
    """What is wrong with the parts of a version: those that all versions share, or those of its own."""
    version, where = versions[index], "spec" if are_shared else f"spec.versions[{index}]"
    found: list[FieldError] = []
    schema = _schema_of(version)
    if schema is not None and is_hoisted(versions, "schema") is are_shared:
        # Most sandboxes never see a definition.
        from seatrial.sandbox.apiserver.custom.structural import schema_errors  # noqa: PLC0415 -- see above

        found += schema_errors(schema, f"{where}.{'validation' if are_shared else 'schema'}.openAPIV3Schema")
    for key, check in (
        ("subresources", _subresource_errors),
        ("additionalPrinterColumns", _column_errors),
        ("selectableFields", _selectable_errors),
    ):
        if version.get(key) and is_hoisted(versions, key) is are_shared:
            found += check(version[key], f"{where}.{key}", schema or {})
    return found


def _column_errors(columns: list[Object], path: str, _schema: Object) -> list[FieldError]:
    found = []
    for index, column in enumerate(columns):
        where = f"{path}[{index}]"
        if not column.get("name"):
            found.append(required(f"{where}.name"))
        if column.get("type") not in _COLUMN_TYPES:
            text = f"must be one of {','.join(_COLUMN_TYPES)}"
            given = column.get("type", "")
            found.append(invalid(f"{where}.type", given, text) if given else required(f"{where}.type", text))
        if column.get("format") and column["format"] not in _COLUMN_FORMATS:
            text = f"must be one of {','.join(_COLUMN_FORMATS)}"
            found.append(invalid(f"{where}.format", column["format"], text))
        found += _path_errors(column.get("jsonPath", ""), f"{where}.jsonPath")
    return found


def _path_errors(text: str, path: str) -> list[FieldError]:
    if not text:
        return [required(path)]
    try:
        parse_path(text)
    except JsonPathError as error:
        return [invalid(path, text, str(error))]
    return []


def _subresource_errors(subresources: Object, path: str, _schema: Object) -> list[FieldError]:
    scale = subresources.get("scale")
    if scale is None:
        return []
    found = []
    for key, roots in (
        ("specReplicasPath", (".spec.",)),
        ("statusReplicasPath", (".status.",)),
        ("labelSelectorPath", (".spec.", ".status.")),
    ):
        where, value = f"{path}.scale.{key}", scale.get(key, "")
        if not value:
            found += [] if key == "labelSelectorPath" else [required(where)]
        elif not value.startswith(roots) or "[" in value:
            under = roots[0].rstrip(".") if len(roots) == 1 else "either .spec or .status"
            found.append(invalid(where, value, f"should be a json path under {under}"))
    return found


def _selectable_errors(fields: list[Object], path: str, schema: Object) -> list[FieldError]:
    found = []
    if len(fields) > 8:
        found.append(FieldError("FieldValueTooMany", path, f"Too many: {len(fields)}: must have at most 8 items"))
    seen = set()
    for index, field in enumerate(fields):
        where, text = f"{path}[{index}].jsonPath", field.get("jsonPath", "")
        if not text:
            found.append(required(where))
            continue
        if text in seen:
            found.append(FieldError("FieldValueDuplicate", where, f'Duplicate value: "{text}"'))
        seen.add(text)
        described: Any = schema
        for key in text.lstrip(".").split("."):
            described = (described.get("properties") or {}).get(key) if isinstance(described, dict) else None
        if not isinstance(described, dict):
            found.append(invalid(where, text, "is an invalid path: does not refer to a valid field"))
        elif described.get("type") not in ("boolean", "integer", "string"):
            detail = "must point to a field of type string, boolean or integer."
            detail += " Enum string fields and strings with formats are allowed."
            found.append(invalid(where, text, detail))
    return found


def _update_errors(new: Object, old: Object) -> list[FieldError]:
    """What may not change once the definition is established."""
    found = []
    if is_true(old, "Established"):
        before, after = old["spec"], new["spec"]
        pairs = [("spec.scope", before["scope"], after.get("scope"))]
        pairs.append(("spec.group", before["group"], after.get("group")))
        pairs.append(("spec.names.plural", before["names"]["plural"], after["names"].get("plural")))
        pairs.append(("spec.names.kind", before["names"]["kind"], after["names"].get("kind")))
        found += [invalid(path, wanted, "field is immutable") for path, was, wanted in pairs if was != wanted]
    return found + _stored_errors(new)


def _stored_errors(obj: Object) -> list[FieldError]:
    names = [version.get("name") for version in obj["spec"].get("versions") or ()]
    found = []
    for index, name in enumerate((obj.get("status") or {}).get("storedVersions") or ()):
        if name not in names:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            found.append(invalid(f"status.storedVersions[{index}]", name, text))
    return found


STRATEGY = Strategy(
    defaults=_defaults,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=_errors,
    validate_update=_update_errors,
    warnings=_warnings,
    keeps_status=True,
)
