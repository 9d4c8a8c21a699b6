"""Makes two answers comparable: what differs from run to run by nature is replaced by a word for its form.

Which fields those are is in the recordings' own list, `golden/volatile.json`; texts that repeat such a value are
masked by pattern. A time stays a time of its precision, an address an address: only the value is taken away.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conformance.deliberate import FIELDS, OWNED

_LIST = json.loads((Path(__file__).parent / "golden" / "volatile.json").read_text(encoding="utf-8"))
_TEXTS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UID"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"), "TIME"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z"), "MICROTIME"),
    (re.compile(r"\b(\d{1,3}\.){3}\d{1,3}\b(?!/)"), "ADDRESS"),
    (re.compile(r"(range of valid IPs is )[\d./]+"), r"\1CIDR"),
    (re.compile(r"\bkube-api-access-[a-z0-9]{5}\b"), "kube-api-access-SUFFIX"),
    (re.compile(r"\.[0-9a-f]{16}$"), ".HEX"),
    (re.compile(r"\b([a-z][a-z0-9]*)-(?=[a-f]*[0-9])[0-9a-f]{6,10}(-[a-z0-9]{5})?\b"), r"\1-HASH"),
    (re.compile(r"\b(\d+):3\d{4}/"), r"\1:NODEPORT/"),
    (re.compile(r"\bcurrent: \d+"), "current: N"),
    (re.compile(r"too old resource version: (\d+) \(\d+\)"), r"too old resource version: \1 (N)"),
    (re.compile(r"X509SHA256=\w+"), "X509SHA256=DIGEST"),
    (re.compile(r"JTI=\S+"), "JTI=ID"),
    (re.compile(r"\b(to|kubelet,) node\d+\b"), r"\1 NODE"),
    (re.compile(r"\bin \d+(\.\d+)?(ms|s)\b"), "in DURATION"),
    (re.compile(r"\bhash=[0-9A-F]{128}"), "hash=DIGEST"),
    (re.compile(r"[0-9a-f]{64}"), "DIGEST"),
    (re.compile(r"\b[a-z]+://DIGEST"), "RUNTIME://DIGEST"),
    (re.compile(r"\bnginx/\d+(\.\d+)+"), "nginx/VERSION"),
)
_AGE = re.compile(r"^(\d+[smhdy]){1,2}$")
_AGO = re.compile(r"\(\d+\w* ago\)")
# A message that quotes the server's own Go types, or a diff of them, is told apart from none.
_DIFF = re.compile(r"\n@@ .*?(\]?)\Z", re.DOTALL)
_GO_VALUE = re.compile(r'Invalid value: ("\{|\{"(Volumes|APIGroup|apiGroup|containers|restartPolicy)).*', re.DOTALL)
# What belongs to the machine a server runs on, was taken out of the recordings, or repeats a listed value elsewhere.
_KEYS = frozenset(
    {"serverAddress", "token", "gitVersion", "gitCommit", "buildDate", "ca.crt", "storageVersionHash"}
    | {
        "pod-template-hash",
        "controller.kubernetes.io/hash",
        "controller-revision-hash",
        "host",
        "reportingInstance",
        "nodeName",
    }
)
_MACHINE_COLUMNS = ("OS-Image", "Kernel-Version", "Container-Runtime")
_NODE = re.compile(r"^node[0-9]+$")
# The kubelet's limits of a container without any: `volatile.json` doesn't have it, the notes call it no limit at all.
_NO_LIMIT = "9007199254740988Ki"


def _paths() -> tuple[tuple[str, ...], ...]:
    found = []
    for entry in _LIST["fields"]:
        text = re.sub(r" \(.*\)$", "", entry)
        quoted = re.fullmatch(r"(.*)\['(.*)'\]", text)
        found.append((*quoted[1].split("."), quoted[2]) if quoted else tuple(text.split(".")))
    return tuple(found)


# A container is a container, whichever list it stands in.
_LISTED = [*_paths()]
_LISTED += [
    tuple(name if part == "containerStatuses" else part for part in path)
    for path in _LISTED
    if "containerStatuses" in path
    for name in ("initContainerStatuses", "ephemeralContainerStatuses")
]
_PATHS: dict[str, list[tuple[str, ...]]] = {}
for _path in _LISTED:
    _PATHS.setdefault(_path[-1], []).append(_path)


def mask(value: Any, path: tuple[str, ...] = (), names: Mapping[str, str] | None = None) -> Any:
    """The value with everything volatile replaced by its form.

    Args:
        value: a parsed answer, or a part of it.
        path: where that part stands.
        names: generated names that are known: what to call them instead.
    """
    if value is not None and path[-1:] == ("buildDate",):
        return "TEXT"  # scrubbed in the recordings, so that its form is lost
    if value is not None and _is_volatile(path):
        return _form(value)
    if isinstance(value, dict):
        value = _in_any_order(_without_machine_cells(value))
        return {_mask_text(key, names): mask(entry, (*path, key), names) for key, entry in _kept(value, path).items()}
    if isinstance(value, list):
        if path[-1:] == ("managedFields",):
            value = [entry for entry in value if not _is_heartbeat(entry)]
        items = [mask(entry, (*path, "*"), names) for entry in value]
        # Field managers of one second stand in either order.
        return sorted(items, key=_manager) if path[-1:] == ("managedFields",) else items
    if isinstance(value, str):
        if "cells" in path:
            value = _AGO.sub("(AGO)", _AGE.sub("AGE", value))
        return _mask_text(value, names)
    return value


def _in_any_order(value: dict[str, Any]) -> dict[str, Any]:
    """A refused custom resource with its causes sorted: they come in the order of a Go map, which is none."""
    message, causes = value.get("message"), (value.get("details") or {}).get("causes") if "details" in value else None
    if not causes or not isinstance(message, str) or " in body " not in message:
        return value
    details = {**value["details"], "causes": sorted(causes, key=lambda cause: (cause["field"], cause["message"]))}
    head, _, rest = message.partition(" is invalid: ")
    return {**value, "message": [head, *sorted(rest.strip("[]").split(", "))], "details": details}


def generated_names(value: Any) -> dict[str, str]:
    """The generated names of the objects in an answer, and what to call them: their prefix, and a word."""
    found: dict[str, str] = {}
    if isinstance(value, dict):
        prefix, name = value.get("generateName"), value.get("name")
        if isinstance(prefix, str) and isinstance(name, str) and name.startswith(prefix):
            found[name] = f"{_mask_text(prefix, None)}SUFFIX"
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            found |= generated_names(entry)
    return found


def _kept(value: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Without the limit that is none, wherever a pod's status or a field manager repeats it."""
    if "fieldsV1" in path:
        # Whoever changes a condition owns its time too, but for those who do so within the second.
        unowned = OWNED | {"f:lastTransitionTime"}
        value = {key: entry for key, entry in value.items() if key not in unowned and not _is_only_owned(entry)}
    elif not FIELDS.isdisjoint(value):
        value = {key: entry for key, entry in value.items() if key not in FIELDS}
    if path[-1:] == ("regarding",):
        # The list has the resourceVersion of the field's older name.
        return {key: "TEXT" if key == "resourceVersion" else entry for key, entry in value.items()}
    if path[-2:] == ("fieldsV1", "f:status"):
        return {key: entry for key, entry in value.items() if key != "f:resources"}
    if path[-1:] == ("limits",) and value.get("memory") == _NO_LIMIT:
        return {key: entry for key, entry in value.items() if key != "memory"}
    if path[-1:] == ("resources",) and value.get("limits") == {"memory": _NO_LIMIT}:
        return {key: entry for key, entry in value.items() if key != "limits"}
    return value


def _is_heartbeat(entry: dict[str, Any]) -> bool:
    """What a kubelet owns of its node's status grows with every report: that of a young node is little."""
    conditions = (entry.get("fieldsV1") or {}).get("f:status", {}).get("f:conditions", {})
    return entry.get("manager") == "kubelet" and 'k:{"type":"MemoryPressure"}' in conditions


def _is_only_owned(entry: Any) -> bool:
    """Whether nothing but deliberate differences are owned below a field."""
    return (
        isinstance(entry, dict)
        and bool(entry)
        and all(key in OWNED or key == "." for key in entry)
        and [*entry] != ["."]
    )


def _without_machine_cells(value: dict[str, Any]) -> dict[str, Any]:
    """A Table repeats which node was chosen, and what `status.nodeInfo` says of a machine."""
    if not value.get("rows") or value.get("kind") != "Table":
        return value
    columns = [column["name"] for column in value.get("columnDefinitions") or []]
    machine = {index for index, name in enumerate(columns) if name in _MACHINE_COLUMNS}
    rows = [
        {
            **row,
            "cells": [
                "TEXT" if index in machine or (index and _NODE.match(str(cell))) else cell
                for index, cell in enumerate(row["cells"])
            ],
        }
        for row in value["rows"]
    ]
    return {**value, "rows": rows}


def _is_volatile(path: tuple[str, ...]) -> bool:
    if not path:
        return False
    if path[-1] == "description" and "columnDefinitions" in path:
        return True
    return path[-1] in _KEYS or any(_matches(path, pattern) for pattern in _PATHS.get(path[-1], ()))


def _matches(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    tail = path[-len(pattern) :]
    return len(tail) == len(pattern) and all(want in ("*", have) for want, have in zip(pattern, tail, strict=True))


def _form(value: Any) -> str:
    if isinstance(value, str):
        masked = _mask_text(value, None)
        return masked if masked in ("UID", "TIME", "MICROTIME", "ADDRESS") else "TEXT"
    return {bool: "BOOLEAN", int: "NUMBER", float: "NUMBER", list: "LIST", dict: "OBJECT"}[type(value)]


def _manager(entry: Any) -> list[str]:
    return [str(entry.get(name)) for name in ("operation", "manager", "subresource")]


def _mask_text(text: str, names: Mapping[str, str] | None) -> str:
    for name, word in (names or {}).items():
        if name in text:
            text = re.sub(rf"\b{re.escape(name)}\b", word, text)
    for pattern, word in _TEXTS:
        text = pattern.sub(word, text)
    return _GO_VALUE.sub("Invalid value: DUMP", _DIFF.sub(r"\1", text))


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two masked values differ, one line each."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = []
        for key in sorted(ours.keys() | theirs.keys()):
            where = f"{path}.{key}"
            if key not in ours:
                found.append(f"{where}: missing, expected {theirs[key]!r}")
            elif key not in theirs:
                found.append(f"{where}: {ours[key]!r} is too much")
            else:
                found += differences(ours[key], theirs[key], where)
        return found
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = zip(ours, theirs, strict=True)
        return [line for index, pair in enumerate(pairs) for line in differences(*pair, f"{path}[{index}]")]
    if isinstance(ours, list) and isinstance(theirs, list) and (ours and theirs):
        surplus = [entry for entry in ours if entry not in theirs]
        missing = [entry for entry in theirs if entry not in ours]
        return [f"{path}: {len(ours)} entries, expected {len(theirs)}; too much: {surplus!r}; missing: {missing!r}"]
    return [] if ours == theirs else [f"{path}: {ours!r}, expected {theirs!r}"]
