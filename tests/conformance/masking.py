"""Makes two answers comparable: everything that differs from run to run is replaced by a word.

What varies is what the recordings' notes list: uids, resourceVersions, times, addresses, generated suffixes, ages.
"""

import re
from typing import Any

_TEXTS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z"), "TIME"),
    (re.compile(r"\b(\d{1,3}\.){3}\d{1,3}\b(?!/)"), "ADDRESS"),
    (re.compile(r"kube-api-access-[a-z0-9]{5}"), "kube-api-access-SUFFIX"),
    (re.compile(r"\b([a-z]+)-[0-9a-f]{8,10}(-[a-z0-9]{5})?\b"), r"\1-HASH"),
    (re.compile(r"\b(\d+):3\d{4}/"), r"\1:NODEPORT/"),
    (re.compile(r"\bcurrent: \d+"), "current: N"),
    (re.compile(r"too old resource version: (\d+) \(\d+\)"), r"too old resource version: \1 (N)"),
    (re.compile(r"X509SHA256=\w+"), "X509SHA256=DIGEST"),
    (re.compile(r"JTI=\S+"), "JTI=ID"),
    (re.compile(r"^\d+(s|m|h|d|y)(\d+(s|m|h|d))?$"), "AGE"),
)
_KEYS = frozenset(
    {
        "resourceVersion", "continue", "nodePort", "healthCheckNodePort", "remainingItemCount", "storageVersionHash",
        "serverAddress", "description", "token", "gitVersion", "gitCommit", "buildDate", "nodeInfo", "images",
        "addresses",
        "capacity", "allocatable", "pod-template-hash", "time", "containerID", "imageID", "ca.crt",
    }
)  # fmt: skip
# Messages that quote a Go value of the server's own types, or a diff of them.
_DIFF = re.compile(r"\n@@ .*", re.DOTALL)
_GO_VALUE = re.compile(r'Invalid value: ("\{|\{"(Volumes|APIGroup|apiGroup|containers|restartPolicy)).*', re.DOTALL)


def mask(value: Any, key: str = "") -> Any:
    """The value with everything volatile replaced."""
    if isinstance(value, dict):
        value = _without_kubelet(value)
        generated = value.get("generateName")
        masked = {_mask_text(name): mask(entry, name) for name, entry in value.items()}
        if generated and isinstance(value.get("name"), str):
            masked["name"] = re.sub(r"[a-z0-9]{5}$", "SUFFIX", value["name"])
        return masked
    if key in _KEYS and value is not None:
        return "MASKED"
    if key == "managedFields" and isinstance(value, list):
        # Entries are sorted by seconds: those of one second can stand either way.
        names = ("operation", "manager", "subresource")
        value = sorted(value, key=lambda entry: [str(entry.get(name)) for name in names])
    if isinstance(value, list):
        return [mask(entry, key) for entry in value]
    return _mask_text(value) if isinstance(value, str) else value


def _without_kubelet(obj: dict[str, Any]) -> dict[str, Any]:
    """A pod without what its kubelet wrote: another program's words, which no API server answers for."""
    status, metadata = obj.get("status"), obj.get("metadata")
    if not isinstance(status, dict) or not isinstance(metadata, dict) or "containerStatuses" not in status:
        return obj
    fields = [entry for entry in metadata.get("managedFields", ()) if entry.get("manager") != "kubelet"]
    spec = {**obj["spec"], "nodeName": "NODE"}
    return {**obj, "spec": spec, "status": "WRITTEN BY A KUBELET", "metadata": {**metadata, "managedFields": fields}}


def _mask_text(text: str) -> str:
    for pattern, word in _TEXTS:
        text = pattern.sub(word, text)
    return _GO_VALUE.sub("Invalid value: DUMP", _DIFF.sub("", text))


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
    return [] if ours == theirs else [f"{path}: {ours!r}, expected {theirs!r}"]
