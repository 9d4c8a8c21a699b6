"""Makes what two kubectls printed comparable: everything that differs from run to run is replaced by a word.

Text is compared by lines, in which ages, addresses, generated names and the widths of columns are masked; YAML and JSON
by their values. Lines whose order follows from a random name or from a second's fraction (tables of pods, events) are
compared as a set. What a kubelet's timing decides is left out: whether a first readiness probe comes before the
server in the container listens, how often a state is reported.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from tests.conformance.masking import differences

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_TEXTS = (
    (re.compile(r"(127\.0\.0\.1|\[::1\]):\d{4,5}"), "LOCAL"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (.*process) \d+$"), r"TIME \1 N"),
    (re.compile(r"\bline \d+$"), "line N"),
    # A pod that ends at once may be there already, not yet, or no longer when kubectl attaches.
    (re.compile(r"(falling back to streaming logs:).*$"), r"\1 REASON"),
    (re.compile(r"\.[0-9a-f]{16}\b"), ".EVENT"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| [+-]\d{4})"), "TIME"),
    (re.compile(r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"), "TIME"),
    (re.compile(r"\b([WEI])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ([\w.]+):\d+\]"), r"\1 \2]"),
    (re.compile(r"/tmp/[^/\s]*(LIVE|MERGED)-\d+"), r"/tmp/\1"),
    (re.compile(r"(?<![\d.])(\d{1,3}\.){3}\d{1,3}(?![\d.]|/\d)"), "ADDRESS"),
    (re.compile(rf"\bkube-api-access-{_SAFE}{{5}}\b"), "kube-api-access-SUFFIX"),
    (re.compile(rf"(?<=[a-z0-9])-[4-9bcdf]{{6,10}}(-{_SAFE}{{5}})?\b"), r"-HASH\1"),
    (re.compile(rf"(?<=[A-Za-z0-9])-{_SAFE}{{5}}\b(?!-|\.(?!EVENT|\s|$))"), "-SUFFIX"),
    (re.compile(r"\bpod-template-hash=\w+"), "pod-template-hash=HASH"),
    (re.compile(r"\b(\d+):3\d{4}/"), r"\1:NODEPORT/"),
    (re.compile(r"\b(containerd|seatrial)://ID\b"), "CONTAINER"),
    (re.compile(r"(Image ID: +)\S+"), r"\1IMAGE"),
    (re.compile(r"(Zone: +)\S+"), r"\1ZONE"),
    (re.compile(r"\bdefault-scheduler, \S+"), "default-scheduler, HOST"),
    (re.compile(r",(seatrial\.io|topology\.kubernetes\.io)/\w+=[\w-]+"), ""),
    (re.compile(r"Debian GNU/Linux \d+ \(\w+\)|Seatrial sandbox"), "SYSTEM"),
    (re.compile(r"\b\d+\.\d+\.\d+-\S+(?= \(amd64\))"), "KERNEL"),
    (re.compile(r"\b(containerd|seatrial)://[\w.+]+"), "RUNTIME"),
    (re.compile(r"https?://(ADDRESS:\d+|LOCAL)"), "SERVER"),
    (re.compile(r"(?<= in )\d+(?= milliseconds)"), "N"),
    (re.compile(r"^(deployment\.apps/\S+ patched) \(no change\)$"), r"\1"),  # its status changes by itself
    (re.compile(r"(Config loaded from file: +|milliseconds=)\S+"), r"\1MASKED"),
    (re.compile(r"(controller-revision-hash|controller-uid)=\S+"), r"\1=HASH"),
    (re.compile(r'GitCommit:"\w*"'), 'GitCommit:"COMMIT"'),
    (re.compile(r"(?<=v1\.36\.2)\+seatrial\b"), ""),
    (re.compile(r"\(\d+ in total\)"), "(N in total)"),
    (re.compile(r" \(x\d+ over [^)]*\)"), ""),
    (re.compile(r" \(\d+(ms|s|m|h)\S* ago\)"), ""),
    (re.compile(r"(?<![=.\w-])(?<!for )(\d+[smhdy]){1,3}(?=\s|$)"), "AGE"),
    (re.compile(r"\b[0-9.]+m?s \([0-9.]+m?s including waiting\)\. Image size: \d+ bytes"), "TOOK"),
    (re.compile(r'"resourceVersion":"\d+"'), '"resourceVersion":"N"'),
    (re.compile(r"(Resource Version: +)\d+"), r"\1N"),
    (re.compile(r"(resourceVersion: )\"\d+\""), r"\1N"),
)
_WIDTH = re.compile(r"(?<=\S) {2,}|-{3,}")
# Facts of one machine or one build.
_KEYS = frozenset(
    {
        "resourceVersion", "uid", "nodeName", "clusterIP", "clusterIPs", "nodePort", "podIP", "podIPs", "hostIP",
        "hostIPs", "containerID", "imageID", "nodeInfo", "images", "addresses", "capacity", "allocatable",
        "pod-template-hash", "controller-revision-hash", "controller-uid", "batch.kubernetes.io/controller-uid", "time",
        "providerID", "zone", "ca.crt", "gitCommit", "buildDate", "goVersion", "gitVersion", "startedAt",
    }
)  # fmt: skip
# Facts of a machine in a description of its node.
_SIZE = re.compile(
    r"^( +(cpu|memory|ephemeral-storage|hugepages-\w+|pods|Machine ID|System UUID|Boot ID|Kernel Version):)"
)
# What a sandbox has and the recorded cluster hadn't (places of nodes, metrics), or the other way round; and what
# kubectl's own watch had to say about its deadline.
_DROPPED = re.compile(
    r"^ +(seatrial\.io|topology\.kubernetes\.io)/|^(PodCIDRs?|ProviderID):|^[WE] reflector\.go\]"
    r"|^No events found|  kubelet  (Starting|Updated Node|Node \S+ status)|metrics\.k8s\.io/v1beta1"
    r"|^v1beta1\.metrics\.k8s\.io|^tar: removing leading"  # told or not: kubectl cp doesn't wait for it
    r"|^Extra: authentication\.kubernetes\.io/credential-id"
)
_NODE = re.compile(r"\bnode[1-9]\b")
# What a sandbox's nodes have and those of the recordings hadn't: a place, and an address range of their own.
_PLACE = frozenset(
    {"seatrial.io/group", "topology.kubernetes.io/region", "topology.kubernetes.io/zone", "podCIDR", "podCIDRs",
     "providerID", "zone",
     # of containerd, and of a kubelet that has it
     "runtimeHandlers", "features", "declaredFeatures"}
)  # fmt: skip
# A limit that containerd reports where there is none.
_NO_LIMIT = {"limits": {"memory": "9007199254740988Ki"}}
_GO_DIFF = re.compile(r"\n@@ .*", re.DOTALL)  # of the server's own structures
_COMBINED = "(combined from similar events): "
_NUMBERS = re.compile(r"\bfrom \d+ to \d+\b")
_UNREADY = re.compile(r"  0/1  Running  0  ")
_FIRST_PROBE = re.compile(
    r"Readiness probe failed: .*(connection refused|deadline exceeded)|failed to sync configmap cache"
)


def mask_text(text: str) -> str:
    """One piece of text, masked."""
    for pattern, word in _TEXTS:
        text = pattern.sub(word, text)
    return text


def mask_value(value: Any, key: str = "") -> Any:
    """A value out of YAML or JSON, masked."""
    if key in _KEYS and value is not None:
        return "MASKED"
    if isinstance(value, dict):
        if value.get("kind") == "EndpointSlice":
            value["metadata"].pop("generation", None)  # one more with each change that was seen by itself
        kept = {name: entry for name, entry in value.items() if name not in _PLACE and entry != _NO_LIMIT["limits"]}
        return {mask_text(name): mask_value(entry, name) for name, entry in kept.items()}
    if key == "managedFields" and isinstance(value, list):
        # They are sorted by seconds: those of one second can stand either way.
        value = sorted(value, key=lambda entry: [str(entry.get(name)) for name in ("operation", "manager")])
    if isinstance(value, list):
        return [mask_value(each) for each in value]
    return mask_text(value) if isinstance(value, str) else value


def compare_output(ours: str, theirs: str, *, argv: list[str]) -> list[str]:
    """Where two outputs of one command differ, one line each."""
    if not any(each.startswith(("node", "no/")) for each in argv[1:]):
        ours, theirs = _NODE.sub("NODE", ours), _NODE.sub("NODE", theirs)
    if "updates may not change fields" in theirs:
        ours, theirs = _GO_DIFF.sub("", ours), _GO_DIFF.sub("", theirs)
    found, expected = _document(ours), _document(theirs)
    if isinstance(expected, dict | list):
        if _is_in_motion(expected) and isinstance(found, dict):
            found, expected = _without_status(found), _without_status(expected)
        return differences(mask_value(found), mask_value(expected))
    if any(each.startswith("--limit-bytes") for each in argv) and ours.startswith(theirs):
        return []  # the program had said less by then
    if "logs" in argv or "attach" in argv:
        return _difference(sorted(set(_lines(ours))), sorted(set(_lines(theirs))))
    if "-w" in argv or "--watch" in argv or "--watch-only" in argv:
        kinds = ({line for line in _lines(text) if not _UNREADY.search(line)} for text in (ours, theirs))
        return _difference(*(sorted(each) for each in kinds))
    if "explain" in argv:
        ours, theirs = _undescribed(ours), _undescribed(theirs)
    if "rollout status" in " ".join(argv):
        # How it goes on in between is a matter of moments.
        last = (re.sub(r"\d+", "N", "".join(list(_lines(text))[-1:])) for text in (ours, theirs))
        return _difference(*([line] for line in last))
    return _difference(*(_ordered(list(_lines(text, argv)), argv) for text in (ours, theirs)))


def _is_in_motion(found: Any) -> bool:
    """Whether this is a Deployment in the middle of a rollout, whose figures are those of a moment."""
    if not isinstance(found, dict) or found.get("kind") != "Deployment":
        return False
    status = found.get("status") or {}
    return bool(status.get("terminatingReplicas") or status.get("unavailableReplicas"))


def _without_status(found: dict[str, Any]) -> dict[str, Any]:
    entries = [each for each in found["metadata"].get("managedFields", ()) if each.get("subresource") != "status"]
    return {**found, "status": "IN MOTION", "metadata": {**found["metadata"], "managedFields": entries}}


def _document(text: str) -> Any:
    """The YAML or JSON that a text is, or None where it is for people."""
    if text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError:
            return None
    if re.match(r"(apiVersion|kind|items):", text):
        return yaml.load(text, yaml.CSafeLoader)
    return None


def _lines(text: str, argv: Sequence[str] = ()) -> Iterator[str]:
    rows = text.splitlines()
    kept = [row for row in rows if not _FIRST_PROBE.search(row)]
    if len(kept) == 1 and len(kept) < len(rows):
        return  # a table's header
    for line in kept:
        masked = _WIDTH.sub(lambda found: "  " if found[0][0] == " " else "---", mask_text(line)).rstrip()
        size = _SIZE.match(masked)
        masked = f"{size[1]} MASKED" if size and not masked.endswith(")") else masked
        if masked and not _DROPPED.search(masked) and not _is_foreign(masked, argv):
            yield masked


def _is_foreign(line: str, argv: Sequence[str]) -> bool:
    """Whether a line is about what only stood in the recorded cluster, in other namespaces or the default one."""
    row = re.match(r"  ([\w-]+)  [\w-]+  \d+m? \(", line)
    if row is not None and "-n" in argv:
        return row[1] != argv[argv.index("-n") + 1]
    if "get" in argv and "default" in argv:
        return line.split(maxsplit=1)[0] not in ("NAME", "default", "kubernetes")
    return re.match(r"gold-[rt]-|(base|gold)-[\w-]+  (Active|Terminating)", line) is not None


def _undescribed(text: str) -> str:
    """What `explain` says without the descriptions, which are prose and not carried by a sandbox."""
    kept = [line for line in text.splitlines() if re.match(r"[A-Z]+:|  +\S+\t<|  +enum: ", line)]
    return "\n".join(kept)


def _ordered(lines: list[str], argv: list[str]) -> list[str]:
    """Lines whose order means nothing are sorted: rows of tables, events of a description."""
    verbs = [each for each in argv[1:] if not each.startswith("-")]
    if "get" in verbs or "events" in verbs or "delete" in verbs or "drain" in verbs:
        return sorted(lines)
    if "describe" in verbs and any(line.startswith("Events:") for line in lines):
        start = next(index for index, line in enumerate(lines) if line.startswith("Events:"))
        events = lines[start + 1 :]
        if any(_COMBINED in line for line in events):
            # Which of the similar events are combined depends on their order.
            events = list({_NUMBERS.sub("from N to N", line).replace(_COMBINED, "") for line in events})
        return lines[: start + 1] + sorted(events)
    return lines


def _difference(ours: list[str], theirs: list[str]) -> list[str]:
    if ours == theirs:
        return []
    missing, surplus = list(theirs), []
    for line in ours:
        if line in missing:
            missing.remove(line)
        else:
            surplus.append(line)
    if not missing and not surplus:
        return ["the same lines in another order"]
    return [f"missing: {line}" for line in missing] + [f"surplus: {line}" for line in surplus]
