"""Policies made from the language's schema: the least that each map needs, every key of it alone, and every two keys.

The schema is the models' own, so a new key is covered on the day it is added. What a text has to mean (a regular
expression, a selector, an address) can't be read from a schema: `TEXTS` has a fitting one for each such key.
"""

import re
from collections import deque
from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

Schema = dict[str, Any]

TEXTS = {
    "selector": "app=web",
    "field": "status.phase=Running",
    "url": "http://alertmanager.example.com:9093/api/v2",
    "timezone": "Europe/Vienna",
    "server": "127.0.0.1",
    "payload": "---",
    "name": "name-1",
    "host": "example.com",
    "listen": "127.0.0.1:26379",
    "upstream": "redis:6379",
    "mttf": "5y",
    "duration": "30d",
    "scenario": "name-1",  # as the least of a scenario is called
    "measurement": "timeToRecover",
    "target": "90 %",
    "cron": "0 9 * * 1-5",
    "body": "{}",
    "proxy": "http://proxy.example.com:3128",
    "holidays": "2026-12-25",
}
_GENERIC = ["text", "TERM", "SIGTERM", "1", "key=value:NoSchedule", "a.b", "30%"]


class Language:
    """All maps of the language, by the names that the schema has for them."""

    def __init__(self, schema: Schema) -> None:
        self.maps: dict[str, Schema] = {"Policy": schema, **schema["definitions"]}
        self._ways = self._find_ways()

    def keys(self, name: str) -> list[str]:
        """The keys of a map."""
        return list(self.maps[name]["properties"])

    def documents(self, name: str) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Whole policies in which a map has each of its keys alone beside what it needs, and each two of them."""
        is_choice = self.maps[name].get("maxProperties") == 1
        keys = self.keys(name)
        for key in keys:
            for value in self.values(self.maps[name]["properties"][key], key):
                yield (key,), self.policy(name, {key: value})
        for pair in [] if is_choice else combinations(keys, 2):
            for values in product(*(self._choices(self.maps[name]["properties"][key], key) for key in pair)):
                yield pair, self.policy(name, dict(zip(pair, values, strict=True)))

    def policy(self, name: str, chosen: dict[str, Any]) -> Any:
        """A policy that holds the map with these keys, and else as little as possible."""
        value = self.least(self.maps[name], chosen)
        while name != "Policy":
            name, key, is_list = self._ways[name]
            value = self.least(self.maps[name], {key: [value] if is_list else value})
        return value

    def least(self, schema: Schema, chosen: dict[str, Any] | None = None) -> Any:
        """The chosen keys of a map, and those without which it is refused."""
        made = dict(chosen or {})
        if schema.get("maxProperties") == 1 and made:
            return made
        if "percentile" in schema["properties"]:
            _fit_objective(made)
        if any("probe" in each for each in made.get("objectives", [])):
            made.setdefault("steadyState", {"probes": [{"probeHTTP": {"target": {"url": TEXTS["url"]}}}]})
        needed = list(schema.get("required", []))
        choices = [each["required"] for each in schema.get("oneOf", schema.get("anyOf", []))]
        if choices and not any(set(each) <= set(made) for each in choices):
            needed += choices[0]
        if schema.get("minProperties") == 1 and not made:
            needed += list(schema["properties"])[:1]
        if "accelerate" in schema["properties"] and {"failures", "accelerate", "duration"} & made.keys():
            made.setdefault("strategy", "failures")  # they go with no other strategy
            needed.append("failures")
        for key in needed:
            if key not in made:
                made[key] = next(self.values(schema["properties"][key], key))
        return made

    def values(self, schema: Schema, key: str) -> Iterator[Any]:
        """Some values that a key may have, the plainest first."""
        for each in self._alternatives(schema):
            if "properties" in each:
                yield self.least(each)
            elif "const" in each:
                yield each["const"]
            elif "enum" in each:
                yield from (value for value in each["enum"] if value is not None)
            elif each.get("type") == "null":
                yield None
            else:
                yield from self._plain(each, key)

    def _choices(self, schema: Schema, key: str) -> list[Any]:
        """The plainest value that a key may have, and where there is a list to choose from, all of it."""
        values = list(self.values(schema, key))
        return values if "enum" in schema else values[:1]

    def _plain(self, schema: Schema, key: str) -> Iterator[Any]:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        match kinds[0]:
            case "boolean":
                yield from (True, False)
            case "integer" | "number":
                lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
                if lowest >= schema.get("exclusiveMaximum", lowest + 1):
                    lowest = schema["exclusiveMaximum"] / 2
                yield from dict.fromkeys([lowest, schema.get("maximum", lowest + 1)])
            case "array":
                yield [next(self.values(schema["items"], key))] if schema["items"] else []
            case "object":
                yield {}
            case _:
                yield from self._texts(schema, key)

    def _texts(self, schema: Schema, key: str) -> Iterator[str]:
        candidates = [TEXTS[key]] if key in TEXTS else []
        pattern = schema.get("pattern", "")
        fitting = [each for each in (*candidates, *_GENERIC, *TEXTS.values()) if re.search(pattern, each)]
        yield fitting[0]

    def _alternatives(self, schema: Schema) -> list[Schema]:
        if "$ref" in schema:
            return self._alternatives(self.maps[schema["$ref"].rpartition("/")[2]])
        if "allOf" in schema:
            return self._alternatives(schema["allOf"][0])
        if "anyOf" in schema and "properties" not in schema:
            return [each for part in schema["anyOf"] for each in self._alternatives(part)]
        return [schema]

    def _find_ways(self) -> dict[str, tuple[str, str, bool]]:
        """For each map: a map that holds it, under which key, and whether in a list; the shortest way from the top."""
        ways: dict[str, tuple[str, str, bool]] = {}
        waiting = deque(["Policy"])
        while waiting:
            name = waiting.popleft()
            for key, schema in self.maps[name].get("properties", {}).items():
                for inner, is_list in self._held(schema):
                    if inner not in ways:
                        ways[inner] = (name, key, is_list)
                        waiting.append(inner)
        return ways

    def _held(self, schema: Schema, *, is_list: bool = False) -> Iterator[tuple[str, bool]]:
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2], is_list
        for part in schema.get("allOf", []) + (schema.get("anyOf", []) if "properties" not in schema else []):
            yield from self._held(part, is_list=is_list)
        if isinstance(schema.get("items"), dict):
            yield from self._held(schema["items"], is_list=True)


def _fit_objective(made: dict[str, Any]) -> None:
    """What the keys of an objective need beside them: a statistic, its limit, a measurement that goes with it."""
    if "probe" in made:
        made.setdefault("measurement", "availability")
        made.setdefault("target", TEXTS["target"])
    elif "ratio" in made:
        made.setdefault("measurement", "passed")
        made.setdefault("above", 0.5)
    else:
        if not {"percentile", "mean", "max", "target"} & made.keys():
            made["percentile"] = 1
        if "above" not in made:
            made.setdefault("below", 1)
