"""Compares an answer with the recorded one: status, headers, body or events, as the recordings' notes ask."""

import json
from typing import Any, Protocol

import yaml
from multidict import CIMultiDict, CIMultiDictProxy

from tests.conformance.masking import differences, generated_names, mask

_HEADERS = ("Content-Type", "Warning", "Retry-After", "Allow", "Location")


class Comparison:
    """Compares answers of one topic; generated names that came up are known from then on."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def differences(self, ours: Any, theirs: Any) -> list[str]:
        """Where two bodies differ once what varies is masked."""
        if isinstance(theirs, dict) and ("$elided" in theirs or "$binary" in theirs):
            return []
        theirs = _as_far(parsed(theirs) if isinstance(theirs, str) else theirs, ours)
        self._names |= generated_names(ours) | generated_names(theirs)
        bodies = (_without_slice_generations(body) for body in (ours, theirs))
        return differences(*(_in_order(mask(body, (), self._names)) for body in bodies))

    def events(self, ours: list[Any], theirs: list[Any]) -> list[str]:
        """Where two sequences of watch events differ."""
        kept = [{"type": event["type"], "object": event["object"]} for event in theirs]
        whole = self.differences(ours, kept)
        if not whole or len({_name(event) for event in kept}) == 1:
            return whole
        # What happens to different objects at the same time may come in either order.
        problems = []
        for name in dict.fromkeys(_name(event) for event in [*kept, *ours]):
            pair = [[event for event in events if _name(event) == name] for events in (ours, kept)]
            if len(pair[0]) != len(pair[1]):
                pair[1] = _without_echoes(pair[1])
            if len(pair[0]) != len(pair[1]):
                said = [[_gist(event) for event in events] for events in pair]
                problems.append(f"{name}: {said[0]}, expected {said[1]}")
            else:
                problems += [f"{name}{problem}" for problem in self.differences(*pair)]
        return problems


def parsed(text: str) -> Any:
    """A body as data: JSON, YAML, else text; None for nothing."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    return yaml.safe_load(text) if text.startswith("apiVersion:") else text or None


class Head(Protocol):
    """The beginning of an answer."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> CIMultiDict[str] | CIMultiDictProxy[str]:
        """All headers."""
        ...


def head_differences(answer: Head, expected: dict[str, Any]) -> list[str]:
    """Where status code and the headers that count differ."""
    problems = []
    if answer.status != expected["status"]:
        problems.append(f"status {answer.status}, expected {expected['status']}")
    for name in _HEADERS:
        ours = answer.headers.getall(name, [])
        theirs = expected["headers"].get(name, [])
        theirs = [theirs] if isinstance(theirs, str) else theirs
        if ours != theirs and not (name == "Content-Type" and expected["status"] in (304, 101)):
            problems.append(f"{name}: {ours}, expected {theirs}")
    return problems


def _as_far(theirs: Any, ours: Any) -> Any:
    """The recorded pod as far as ours is: its kubelet may have seen a generation a moment earlier or later."""
    if not (isinstance(ours, dict) and isinstance(theirs, dict) and theirs.get("kind") == ours.get("kind") == "Pod"):
        return theirs
    seen, generation = ((ours.get("status") or {}).get("observedGeneration"), ours["metadata"].get("generation"))
    status = theirs.get("status") or {}
    recorded = status.get("observedGeneration")
    if seen == recorded or generation not in (seen, recorded) or "deletionTimestamp" not in theirs["metadata"]:
        return theirs
    conditions = [
        {**each, "observedGeneration": seen} if each.get("observedGeneration") == recorded else each
        for each in status.get("conditions") or []
    ]
    return {**theirs, "status": {**status, "observedGeneration": seen, "conditions": conditions}}


def _without_slice_generations(body: Any) -> Any:
    """A slice's generation is one more with each change of its endpoints that was seen by itself."""
    if not isinstance(body, dict) or body.get("kind") not in {"EndpointSlice", "EndpointSliceList"}:
        return body
    if "items" in body:
        return {**body, "items": [_without_generation(item) for item in body["items"]]}
    return _without_generation(body)


def _without_generation(thing: dict[str, Any]) -> dict[str, Any]:
    return {**thing, "metadata": {key: entry for key, entry in thing["metadata"].items() if key != "generation"}}


def _object(event: dict[str, Any]) -> dict[str, Any]:
    """What the event is about, also behind a Table's row."""
    rows = event["object"].get("rows")
    found: dict[str, Any] = (rows[0].get("object") if rows else event["object"]) or {}
    return found


def _without_echoes(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One object's events but those after which it is as before: a kubelet took back a limit that nobody had set."""
    told = [(event["type"], mask(_substance(_object(event)))) for event in events]
    return [event for index, event in enumerate(events) if not index or told[index] != told[index - 1]]


def _substance(found: dict[str, Any]) -> dict[str, Any]:
    metadata = {k: v for k, v in found["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    status = {k: v for k, v in (found.get("status") or {}).items() if k != "resources"}
    return {**found, "metadata": metadata, "status": status}


def _name(event: dict[str, Any]) -> str:
    return str((_object(event).get("metadata") or {}).get("name", ""))


def _gist(event: dict[str, Any]) -> str:
    rows = event["object"].get("rows")
    cells = rows[0]["cells"][1:4] if rows else [(_object(event).get("status") or {}).get("phase", "")]
    return " ".join(map(str, [event["type"], *cells]))


def _in_order(body: Any) -> Any:
    """A masked list with objects of generated names in one order: their own follows from the suffixes."""
    items = body.get("items") if isinstance(body, dict) else None
    if isinstance(items, list) and any("SUFFIX" in str(item) or "HASH" in str(item) for item in items):
        return {**body, "items": sorted(items, key=_place)}
    return body


def _place(item: Any) -> str:
    metadata = item.get("metadata", {}) if isinstance(item, dict) else {}
    return f"{metadata.get('name')} {json.dumps(item, sort_keys=True)}"
