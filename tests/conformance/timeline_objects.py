"""Objects over time, as paths and values: `status.conditions[Ready].status` is True.

Recorded timelines tell an object once in full and then what changed; watches tell it in full each time. Both become the
same thing here, a `Life`: for each path the values it has had, without repetitions, what varies by nature masked.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.masking import mask

Flat = dict[str, Any]
_KEYED_MAPS = ("labels", "annotations")
_GENERATED = re.compile(r"^(?P<prefix>.+-)[a-z0-9]{5}$")
_HASHED = re.compile(r"^(?P<prefix>.+)-[4-9b-df]{6,10}$")
_NO_LIMIT = "9007199254740988Ki"
# The recorded nodes are in no zone.
_NOT_IN_LISTS = frozenset({"uid", "resourceVersion", "zone"})
# What has no meaning apart from the machine, the moment and the order in which things came.
_LEFT_OUT = re.compile(
    r"^metadata\.(uid|resourceVersion|creationTimestamp|managedFields|generation$|generateName|name$|namespace)"
    r"|^metadata\.labels\[(controller\.kubernetes\.io/hash|pod-template-hash|batch\.kubernetes\.io/controller-uid|"
    r"controller-uid|controller-revision-hash)\]|pod-template-hash|controller-uid|job-controller-uid"
    r"|(last(Transition|Update|Probe|Heartbeat)Time|renewTime|acquireTime|(started|finished)At|containerID|imageID)$"
    r"|last-change-trigger-time|^status\.(nodeInfo|images|addresses|capacity|allocatable|hostIPs?|podIPs?|startTime)"
    r"|^spec\.(clusterIPs?|nodeName|uid|volumes)|nodePort$|kube-api-access|volumeMounts|\.user\."
    r"|^status\.(completionTime|lastScheduleTime|lastSuccessfulTime)$|status\.resources|allocatedResources|\.resources"
)


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of an object: conditions stand under their type, containers and ports under their name."""
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            yield from flatten(entry, _below(path, key))
    elif isinstance(value, list) and value and (key := _key_of(path, value)) is not None:
        for entry in value:
            yield from flatten({name: part for name, part in entry.items() if name != key}, f"{path}[{entry[key]}]")
    else:
        yield path, value


def _below(path: str, key: str) -> str:
    if path.rpartition(".")[2] in _KEYED_MAPS or "." in key or "/" in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _key_of(path: str, items: list[Any]) -> str | None:
    if path.endswith(("ownerReferences", "status.active")):
        return None  # named after what has a generated name
    for key in ("type", "name"):
        if all(isinstance(item, dict) and key in item for item in items):
            names = [item[key] for item in items]
            return key if len(set(names)) == len(names) else None
    return None


def changed(flat: Flat, changes: Mapping[str, Any], removed: Iterable[str]) -> Flat:
    """The leaves after a recorded change."""
    result = dict(flat)
    for path in removed:
        result = {key: value for key, value in result.items() if not _lies_at(key, path)}
    for path, value in changes.items():
        result = {key: known for key, known in result.items() if not _lies_at(key, path) and not _lies_at(path, key)}
        result.update(flatten(value, path))
    return result


def _lies_at(key: str, path: str) -> bool:
    return key == path or key.startswith((f"{path}.", f"{path}["))


def called(kind: str, name: str) -> str:
    """What an object is called in both clusters: generated parts of its name are left out."""
    if kind in {"Pod", "EndpointSlice", "Job"} and (found := _GENERATED.match(name)) and not name.endswith("-slice"):
        prefix = re.sub(r"-\d{8}-$", "-MINUTE-", found["prefix"])
        shorter = _HASHED.match(prefix.rstrip("-"))
        return f"{shorter['prefix']}-HASH-SUFFIX" if shorter else f"{prefix}SUFFIX"
    if kind in {"ReplicaSet", "ControllerRevision"} and (found := _HASHED.match(name)):
        return f"{found['prefix']}-HASH"
    if kind == "Job" and (found := re.match(r"^(.+)-\d{8}$", name)):
        return f"{found[1]}-MINUTE"
    return name


class Words:
    """Makes texts that mention names and back-off pauses comparable.

    Args:
        scale: what pauses are multiplied by.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._names: dict[str, str] = {}

    def learn(self, kind: str, name: str) -> None:
        """A name that came up, to be known in messages."""
        said = called(kind, name)
        if said != name:
            self._names[name] = said

    def masked(self, path: str, value: Any) -> Any:
        """A leaf with what varies replaced."""
        steps = tuple(re.sub(r"\[[^\]]*\]", ".*", path).split("."))
        found = _replaced(mask(value, steps), self._names)
        return self._paused(found) if isinstance(found, str) else found

    def _paused(self, text: str) -> str:
        def scaled(found: re.Match[str]) -> str:
            seconds = int(found[1] or 0) * 60 + float(found[2])
            return f"back-off {seconds * self._scale:g} s"

        return re.sub(r"\bback-off (?:(\d+)m)?(\d+(?:\.\d+)?)s", scaled, text)

    def text(self, text: str) -> str:
        """A message."""
        text = self._paused(text)
        for name in sorted(self._names, key=len, reverse=True):
            text = text.replace(name, self._names[name])
        text = re.sub(r"\bin \d+(\.\d+)?(ms|s|µs)( \(\S+ including waiting\))?", "in DURATION", text)
        text = re.sub(r"Image size: \d+ bytes", "Image size: N bytes", text)
        text = re.sub(r"-\d{8}\b", "-MINUTE", text)
        text = re.sub(r"\b([a-z][a-z0-9-]*)-[4-9b-df]{8,10}\b", r"\1-HASH", text)
        return str(mask(re.sub(r"\bnode\d\b", "NODE", text)))


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name in sorted(names, key=len, reverse=True):
            value = value.replace(name, names[name])
        return re.sub(r"\bnode\d\b", "NODE", value)
    if isinstance(value, list):
        return sorted((_replaced(each, names) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    if isinstance(value, dict):
        return {key: _replaced(entry, names) for key, entry in value.items() if key not in _NOT_IN_LISTS}
    return value


@dataclass
class Life:
    """One object from its first to its last appearance.

    Attributes:
        kind: its kind.
        name: its own name.
        states: the leaves at each change, with the milliseconds when it was seen.
        ended_ms: when its end was seen; None while it exists.
        is_partial: it was there before; only what changed is known.
    """

    kind: str
    name: str
    states: list[tuple[float, Flat]] = field(default_factory=list)
    ended_ms: float | None = None
    is_partial: bool = False

    @property
    def deleted(self) -> bool:
        """Its end was seen."""
        return self.ended_ms is not None

    @property
    def restarts(self) -> int:
        """How often a container of the pod was started again."""
        return max((_restarts(flat) for _, flat in self.states), default=0)

    def before_restart(self, number: int) -> "Life":
        """The life up to a restart."""
        early = [(ms, flat) for ms, flat in self.states if _restarts(flat) < number]
        return Life(self.kind, self.name, early, is_partial=self.is_partial)

    @property
    def last(self) -> Flat:
        """The leaves as last seen."""
        return self.states[-1][1] if self.states else {}

    def courses(self, words: Words) -> dict[str, list[tuple[float, Any]]]:
        """For each path the values in order, each with when it came; a missing value is None."""
        paths = {path for _, flat in self.states for path in flat if not _LEFT_OUT.search(path)}
        if self.kind == "ReplicaSet":
            paths.discard("status.observedGeneration")  # as many as there were steps, which may be taken together
        found: dict[str, list[tuple[float, Any]]] = {}
        for path in sorted(paths):
            course: list[tuple[float, Any]] = []
            for ms, flat in self.states:
                value = words.masked(path, flat[path]) if flat.get(path, {}) != {} else None
                if not course or course[-1][1] != value:
                    course.append((ms, value))
            found[path] = course
        told = {path: course for path, course in found.items() if any(value is not None for _, value in course)}
        return {path: course for path, course in told.items() if not _is_no_limit(course)}


def _restarts(flat: Flat) -> int:
    return max((value for path, value in flat.items() if path.endswith("].restartCount")), default=0)


def _is_no_limit(course: list[tuple[float, Any]]) -> bool:
    return any(value == _NO_LIMIT for _, value in course)


@dataclass
class Lives:
    """All objects of a timeline, and the events that were told about each."""

    lives: list[Life] = field(default_factory=list)
    told: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    words: Words = field(default_factory=Words)
    _open: dict[tuple[str, str], Life] = field(default_factory=dict)

    def see(self, ms: float, kind: str, name: str, flat: Flat, *, is_partial: bool = False) -> None:
        """An object as it is at that moment."""
        self.words.learn(kind, name)
        life = self._open.get((kind, name))
        if life is None:
            life = self._open[kind, name] = Life(kind, name, is_partial=is_partial)
            self.lives.append(life)
        life.states.append((ms, flat))

    def end(self, ms: float, kind: str, name: str) -> None:
        """An object is gone."""
        life = self._open.pop((kind, name), None)
        if life is not None:
            life.ended_ms = ms

    def tell(self, about: str, *words: str) -> None:
        """An event about an object, `Kind/name`; the same one is noted once."""
        known = self.told.setdefault(about, [])
        if words not in known:
            known.append(words)

    def alive(self) -> list[Life]:
        """The objects that exist."""
        return list(self._open.values())

    def named(self, kind: str, name: str) -> Life | None:
        """An object that exists."""
        return self._open.get((kind, name))
