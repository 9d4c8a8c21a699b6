"""Does what another client did during a recorded watch; a recording tells it in words, the events show the rest.

An act is done when the events that had come before it have come again, so that a replay needn't take as long as what
it repeats. The body of a creation is what its creator's managedFields say of the first object that was seen.
"""

import json
import re
from typing import Any

from tests.conformance.access import Access

_NOT_NAMES = {"pod", "configmap"}


class Meanwhile:
    """Another client.

    Args:
        cluster: where it acts.
        collection: the path of what is watched.
        later: recorded lines that follow: an object that the watch itself doesn't see is taken from there.
    """

    def __init__(self, cluster: Access, collection: str, *, later: list[dict[str, Any]]) -> None:
        self._cluster = cluster
        self._collection = collection
        self._later = later

    async def act(self, did: str, events: list[dict[str, Any]]) -> None:
        """Do one thing.

        Args:
            did: the recording's words.
            events: what was recorded after it, first the first.
        """
        verb, *words = re.findall(r"[\w.=-]+", did)
        name = next(word for word in words if word not in _NOT_NAMES)
        seen = [event["object"] for event in events if _named(event, name)]
        match verb.lower():
            case "create" | "post":
                await self._create(name, [*seen, *self._from_later(name)])
            case "delete":
                await self._delete(name, did, seen)
            case "label":
                key, value = did.rsplit(" ", 1)[1].split("=")
                await self._patch(name, {"metadata": {"labels": {key: value}}})
            case _:
                # What the watch doesn't see shows in the next state of the object that something does.
                following = [_whole(obj) for obj in (seen or self._from_later(name))]
                wanted = following[0] if following and "nothing" not in did else {}
                await self._patch(name, {key: wanted[key] for key in ("data", "spec") if key in wanted})

    async def _create(self, name: str, seen: list[dict[str, Any]]) -> None:
        template = _whole(seen[0])
        body = creation(template)
        body["metadata"]["name"] = name
        await self._cluster.call("POST", self._collection, body)

    async def _delete(self, name: str, did: str, seen: list[dict[str, Any]]) -> None:
        graces = [_whole(obj)["metadata"].get("deletionGracePeriodSeconds") for obj in seen]
        grace = next((seconds for seconds in graces if seconds is not None), None)
        if "force" in did or "gracePeriodSeconds=0" in did:
            grace = 0
        query = "" if grace is None else f"?gracePeriodSeconds={grace}"
        await self._cluster.call("DELETE", f"{self._collection}/{name}{query}")

    async def _patch(self, name: str, patch: dict[str, Any]) -> None:
        path = f"{self._collection}/{name}"
        await self._cluster.call("PATCH", path, patch, content="application/merge-patch+json")

    def _from_later(self, name: str) -> list[dict[str, Any]]:
        events = [event for line in self._later for event in line.get("response", {}).get("events") or []]
        return [event["object"] for event in events if _named(event, name)]


def creation(obj: dict[str, Any]) -> dict[str, Any]:
    """What the creator of an object asked for: the fields that are its own."""
    metadata = obj["metadata"]
    entries = [entry for entry in metadata.get("managedFields") or [] if not entry.get("subresource")]
    made = _owned(obj, entries[0]["fieldsV1"]) if entries else {}
    kept = {"name": metadata["name"], **made.get("metadata", {})}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **made, "metadata": kept}


def _owned(value: Any, fields: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        inner = {key[2:]: entry for key, entry in fields.items() if key.startswith("f:")}
        if not inner:
            return value
        return {key: _owned(value[key], entry) for key, entry in inner.items() if key in value}
    if isinstance(value, list):
        keys = [key for key in fields if key.startswith("k:")]
        if not keys:
            return value
        return [_owned(item, fields[key]) for key in keys for item in value if _is_keyed(item, key)]
    return value


def _is_keyed(item: Any, key: str) -> bool:

    return all(item.get(name) == value for name, value in json.loads(key[2:]).items())


def _named(event: dict[str, Any], name: str) -> bool:
    metadata = _whole(event["object"]).get("metadata", {})
    return bool(metadata.get("name") == name)


def _whole(obj: dict[str, Any]) -> dict[str, Any]:
    """The object itself, also where an event has it behind a row of a Table."""
    rows = obj.get("rows")
    return rows[0]["object"] if rows else obj
