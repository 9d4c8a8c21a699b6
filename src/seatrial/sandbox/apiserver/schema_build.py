"""Writes `schema.json`, the table of field types that `schema` reads, from Kubernetes' published OpenAPI definitions.

Run by hand when the sandbox moves to another Kubernetes version; never imported by the server:

    python -m seatrial.sandbox.apiserver.schema_build DEFINITIONS.json > schema.json

The input is the `definitions` object of Kubernetes' `api/openapi-spec/swagger.json` (or a JSON Schema with the same in
`$defs`). Only names, types, required marks and merge keys are kept; `schema` describes the notation.
"""

import json
import sys
from pathlib import Path
from typing import Any

PREFIXES = {
    "io.k8s.api.": "",
    "io.k8s.apimachinery.pkg.apis.": "",
    "io.k8s.kube-aggregator.pkg.apis.": "",
    "io.k8s.apiextensions-apiserver.pkg.apis.": "",
}
SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intstr",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "microtime",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
}
GROUPS = {
    "", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io", "events.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "authentication.k8s.io",
    "authorization.k8s.io", "node.k8s.io", "apiextensions.k8s.io",
}  # fmt: skip
VERSIONS = {"v1", "v2"}


def short_name(name: str) -> str:
    """`io.k8s.api.core.v1.Pod` as `core.v1.Pod`."""
    for prefix, replacement in PREFIXES.items():
        if name.startswith(prefix):
            return replacement + name[len(prefix) :]
    return name


def scalar(schema: dict[str, Any]) -> str:
    """The notation of a type that is neither list, map nor structure."""
    kinds = schema.get("type")
    kind = next((k for k in kinds if k != "null"), "") if isinstance(kinds, list) else kinds
    if kind == "string":
        return {"byte": "bytes", "date-time": "time"}.get(str(schema.get("format")), "string")
    return {
        "integer": str(schema.get("format", "int64")),
        "boolean": "bool",
        "number": "double",
    }.get(str(kind), "any")


def list_marks(schema: dict[str, Any]) -> str:
    """What stands between the brackets of a list: its merge keys."""
    marks = []
    kind = schema.get("x-kubernetes-list-type", "atomic")
    if kind == "map":
        marks.append("map " + ",".join(schema["x-kubernetes-list-map-keys"]))
    elif kind == "set":
        marks.append("set")
    strategy = str(schema.get("x-kubernetes-patch-strategy", "")).split(",")
    if "merge" in strategy:
        marks.append("merge " + str(schema.get("x-kubernetes-patch-merge-key", "")))
    return ";".join(marks)


def notation(schema: dict[str, Any], seen: set[str]) -> str:
    """One field's type in the notation of `schema`; referenced types are added to `seen`."""
    reference = str(schema.get("$ref", "")).rsplit("/", 1)[-1]
    atomic = "!" if schema.get("x-kubernetes-map-type") == "atomic" else ""
    if reference:
        if reference in SPECIAL:
            return SPECIAL[reference]
        seen.add(reference)
        return f"@{short_name(reference)}{atomic}"
    if "items" in schema:
        return f"[{list_marks(schema)}]{notation(schema['items'], seen)}"
    if "additionalProperties" in schema:
        return f"{{{atomic}}}{notation(schema['additionalProperties'], seen)}"
    return scalar(schema)


def build(definitions: dict[str, Any]) -> dict[str, Any]:
    """The whole table: `kinds` to root types, `types` to their fields."""
    kinds: dict[str, str] = {}
    pending: set[str] = set()
    for name, schema in definitions.items():
        for gvk in schema.get("x-kubernetes-group-version-kind", []):
            if gvk["group"] not in GROUPS or gvk["version"] not in VERSIONS:
                continue
            if gvk["kind"].endswith("List") or not schema.get("properties", {}).get("metadata"):
                continue
            api_version = f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"]
            kinds[f"{api_version}/{gvk['kind']}"] = short_name(name)
            pending.add(name)
    types: dict[str, Any] = {}
    atomic_types: list[str] = []
    while pending:
        name = pending.pop()
        if short_name(name) in types:
            continue
        schema = definitions[name]
        required = set(schema.get("required", []))
        seen: set[str] = set()
        types[short_name(name)] = {
            field + ("*" if field in required else ""): notation(value, seen)
            for field, value in schema.get("properties", {}).items()
        }
        if schema.get("x-kubernetes-map-type") == "atomic":
            atomic_types.append(short_name(name))
        pending |= {other for other in seen if short_name(other) not in types}
    return {"kinds": dict(sorted(kinds.items())), "atomic": sorted(atomic_types), "types": dict(sorted(types.items()))}


def main() -> None:
    """Read the file named on the command line, write the table to standard output."""
    document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    definitions = document.get("definitions") or document.get("$defs") or document
    json.dump(build(definitions), sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
