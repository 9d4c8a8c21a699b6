"""Writes `messages.json`, the field numbers of Kubernetes' protobuf messages, from published descriptors.

Run by hand when the sandbox moves to another Kubernetes version; never imported by the server:

    python -m seatrial.sandbox.apiserver.protobuf.build PROGRAM > messages.json

PROGRAM is a Go program that carries the descriptors of `k8s.io/api/*/generated.proto`, as kubectl did up to 1.33: each
is a gzipped `FileDescriptorProto` in its data. `LATER` holds what the API gained since, read from the published
`.proto` files. `messages` describes the notation.
"""

import json
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.sandbox.apiserver.protobuf.later import LATER
from seatrial.sandbox.apiserver.protobuf.wire import WireError, read_fields

PREFIXES = ("k8s.io.apimachinery.pkg.apis.", "k8s.io.api.", "k8s.io.metrics.pkg.apis.")
SPECIAL = {
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": "intstr",
    "k8s.io.apimachinery.pkg.api.resource.Quantity": "quantity",
    "k8s.io.apimachinery.pkg.apis.meta.v1.Time": "time",
    "k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime": "microtime",
    "k8s.io.apimachinery.pkg.apis.meta.v1.Duration": "duration",
    "k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1": "raw",
    "k8s.io.apimachinery.pkg.apis.meta.v1.Verbs": "strings",
    "k8s.io.apimachinery.pkg.runtime.RawExtension": "raw",
    "k8s.io.api.authentication.v1.ExtraValue": "strings",
    "k8s.io.api.authorization.v1.ExtraValue": "strings",
    "k8s.io.api.certificates.v1.ExtraValue": "strings",
}
# Numbers of FieldDescriptorProto.Type.
SCALARS = {1: "double", 3: "int64", 5: "int32", 8: "bool", 9: "string", 12: "bytes"}
MESSAGE = 11
REPEATED = 3
GROUPS = {
    "admissionregistration", "apidiscovery", "apps", "authentication", "authorization", "autoscaling", "batch",
    "certificates", "coordination", "core", "discovery", "events", "flowcontrol", "meta", "metrics", "networking",
    "node", "policy", "rbac", "resource", "scheduling", "storage",
}  # fmt: skip
VERSIONS = {"v1", "v2"}
NULLABLE = 65001  # the extension of FieldOptions by gogo/protobuf: false for what isn't a pointer in Go
# Fields whose message stands inline in JSON, and fields that JSON spells otherwise.
INLINE = {
    "localObjectReference", "ephemeralContainerCommon", "persistentVolumeSource", "handler", "volumeSource",
    "ingressRuleValue", "ruleWithOperations",
}  # fmt: skip
INLINE_IN = {"admissionregistration.v1.RuleWithOperations": {"rule"}}
SPELLED = {"uID": "uid", "aPIGroup": "apiGroup"}


def descriptors(program: bytes) -> Iterator[bytes]:
    """Every FileDescriptorProto of Kubernetes' API in a program's data."""
    for found in re.finditer(rb"\x1f\x8b\x08\x00\x00\x00\x00\x00", program):
        try:
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(program[found.start() : found.start() + 500_000])
        except zlib.error:
            continue
        if data[2:9] == b"k8s.io/" and data[2 : 2 + data[1]].endswith(b"generated.proto"):
            yield data


def values(message: bytes, number: int) -> list[Any]:
    """The values of one field of a message."""
    return [value for found, _, value in read_fields(message) if found == number]


def text(message: bytes, number: int) -> str:
    """A field that is a text; empty where it isn't set."""
    return bytes(next(iter(values(message, number)), b"")).decode()


def short_name(name: str) -> str:
    """`k8s.io.api.core.v1.Pod` as `core.v1.Pod`."""
    return next((name[len(prefix) :] for prefix in PREFIXES if name.startswith(prefix)), name)


def reference(name: str) -> str:
    """The notation of a message's type."""
    full = name.removeprefix(".")
    return SPECIAL.get(full, f"@{short_name(full)}")


def field_notation(field: bytes, entries: dict[str, bytes], inline: set[str]) -> tuple[str, str]:
    """A field's name, and its number and type."""
    name = text(field, 1)
    options = b"".join(values(field, 8))
    kind = values(field, 5)[0]
    target = text(field, 6)
    entry = entries.get(target.rpartition(".")[2])
    if entry is not None:
        described = values(entry, 2)[1]
        value = values(described, 5)[0]
        notation = "{}" + (reference(text(described, 6)) if value == MESSAGE else SCALARS[value])
    else:
        notation = reference(target) if kind == MESSAGE else SCALARS[kind]
        if values(field, 4)[0] == REPEATED:
            notation = "[]" + notation
        elif name in inline and kind == MESSAGE:
            notation = "<" + notation
        elif not values(options, NULLABLE):
            notation += "?"
    return SPELLED.get(name, name), f"{values(field, 3)[0]} {notation}"


def build(program: bytes) -> dict[str, dict[str, str]]:
    """Every message with its fields."""
    found: dict[str, dict[str, str]] = {}
    for file in descriptors(program):
        package = short_name(text(file, 2) + ".").removesuffix(".")
        group, _, version = package.rpartition(".")
        if (group not in GROUPS or version not in VERSIONS) and package != "metrics.v1beta1":
            continue
        for message in values(file, 4):
            name = f"{package}.{text(message, 1)}"
            if f"k8s.io.api.{name}" in SPECIAL or f"{PREFIXES[0]}{name}" in SPECIAL:
                continue
            entries = {text(nested, 1): nested for nested in values(message, 3)}
            inline = INLINE | INLINE_IN.get(name, set())
            found[name] = dict(field_notation(field, entries, inline) for field in values(message, 2))
    for name, fields in LATER.items():
        found.setdefault(name, {}).update(fields)
    return dict(sorted(found.items()))


def main() -> None:
    """Read the program named on the command line, write the table to standard output."""
    try:
        table = build(Path(sys.argv[1]).read_bytes())
    except WireError as error:
        sys.exit(f"a descriptor can't be read: {error}")
    json.dump(table, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
