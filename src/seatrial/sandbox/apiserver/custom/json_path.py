"""The JSONPath of printer columns: fields, indices, slices, wildcards, filters with one comparison.

The dialect is kubectl's (`.status.conditions[?(@.type=="Ready")].status`), as its documentation describes it.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Step = Callable[[list[Any]], list[Any]]
_STEP = re.compile(
    r"\.\.(?P<deep>[\w$-]+|\*)"
    r"|\.(?P<name>(?:\\.|[^.\[\]\s\\])+)"
    r"|\[(?P<index>-?\d+)\]"
    r"|\[(?P<slice>-?\d*:-?\d*(?::-?\d*)?)\]"
    r"|\[(?P<star>\*)\]"
    r"|\[(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)\]"
    r"|\[\?\(\s*(?P<filter>.*?)\s*\)\]"
)
_COMPARISON = re.compile(r"^@(?P<path>\S*?)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<value>.+))?$")


class JsonPathError(ValueError):
    """A path that can't be read."""


@lru_cache(maxsize=1024)
def parse_path(text: str) -> tuple[Step, ...]:
    """Read a path; JsonPathError."""
    body = text.strip()
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1]
    body = body.removeprefix("$")
    body = body if body.startswith((".", "[")) else f".{body}"
    steps: list[Step] = []
    position = 0
    while position < len(body):
        match = _STEP.match(body, position)
        if match is None:
            raise JsonPathError(f"unrecognized character in action: {body[position:]!r}")
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)


def find(text: str, value: Any) -> list[Any]:
    """Everything a path leads to, in order; empty when it leads nowhere."""
    found = [value]
    for step in parse_path(text):
        found = step(found)
    return found


def _step(match: re.Match[str]) -> Step:
    if match["deep"]:
        return _deep(match["deep"])
    if match["index"]:
        index = int(match["index"])
        return lambda values: [v[index] for v in values if isinstance(v, list) and -len(v) <= index < len(v)]
    if match["slice"]:
        bounds = slice(*(int(bound) if bound else None for bound in match["slice"].split(":")))
        return lambda values: [entry for v in values if isinstance(v, list) for entry in v[bounds]]
    if match["filter"] is not None:
        return _filter(match["filter"])
    name = match["quoted"] if match["quote"] else re.sub(r"\\(.)", r"\1", match["name"] or "*")
    if match["star"] or name == "*":
        return lambda values: [entry for v in values for entry in _entries(v)]
    return lambda values: [v[name] for v in values if isinstance(v, dict) and name in v]


def _entries(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _deep(name: str) -> Step:
    def search(value: Any) -> list[Any]:
        found = [value[name]] if isinstance(value, dict) and name in value else []
        if name == "*":
            found = _entries(value)
        return found + [match for entry in _entries(value) for match in search(entry)]

    return lambda values: [match for value in values for match in search(value)]


def _filter(text: str) -> Step:
    match = _COMPARISON.match(text)
    if match is None:
        raise JsonPathError(f"unrecognized filter: {text!r}")
    path, operator = match["path"] or "", match["operator"]
    wanted = _literal(match["value"]) if operator else None
    parse_path(path or ".*")

    def accepts(item: Any) -> bool:
        values = find(path, item) if path else [item]
        if not operator:
            return bool(values)
        return any(_compares(value, operator, wanted) for value in values)

    return lambda values: [item for value in values for item in _entries(value) if accepts(item)]


def _literal(text: str) -> Any:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise JsonPathError(f"unrecognized value: {text!r}") from None


def _compares(value: Any, operator: str, wanted: Any) -> bool:
    if operator in ("==", "!="):
        return bool(value == wanted) is (operator == "==")
    if not isinstance(value, type(wanted)) and not (isinstance(value, int | float) and isinstance(wanted, int | float)):
        return False
    return bool({"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[operator])
