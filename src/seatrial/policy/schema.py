"""The JSON Schema of a policy, for editors, made from the models.

Draft 7, because the YAML language server, which stands behind most editors, promises no later one
(https://github.com/redhat-developer/yaml-language-server#readme). In draft 7 nothing beside a `$ref` counts, and
pydantic writes a later draft: hence the rewriting.
"""

from collections.abc import Mapping
from typing import Any

from seatrial.policy.base import Model

_DIALECT = "http://json-schema.org/draft-07/schema#"
_ID = "urn:seatrial:policy"

# What pydantic leaves as it is where a bound stands around a converted value, such as `scalars.Integer`.
_KEYWORDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}

Schema = dict[str, Any]


def make_schema(model: type[Model]) -> Schema:
    """The schema of a whole file that `model` describes."""
    written = model.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    definitions = written.pop("$defs", {})
    schema = _rewrite(written)
    schema["definitions"] = {name: _rewrite(definition) for name, definition in sorted(definitions.items())}
    return {"$schema": _DIALECT, "$id": _ID, **schema}


def _rewrite(schema: Mapping[str, Any]) -> Schema:
    """Rewrite a schema and all that it holds."""
    rewritten = {_KEYWORDS.get(key, key): _rewrite_part(key, value) for key, value in schema.items()}
    for each in rewritten.get("properties", {}).values():
        each.pop("title", None)  # made from the key, so it says nothing
    rewritten = _join_null(rewritten)
    if rewritten.get("default", ...) is None:
        del rewritten["default"]
    if "$ref" in rewritten and len(rewritten) > 1:
        rewritten["allOf"] = [{"$ref": rewritten.pop("$ref")}]
    if "description" in rewritten:
        rewritten["description"] = _as_paragraphs(rewritten["description"])
        rewritten["markdownDescription"] = rewritten["description"]
    return rewritten


def _rewrite_part(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: _rewrite(each) for name, each in value.items()}
    if key == "default":
        return _tidy(value)
    if isinstance(value, list):
        return [_rewrite(each) if isinstance(each, dict) else each for each in value]
    return _rewrite(value) if isinstance(value, dict) else value


def _join_null(schema: Schema) -> Schema:
    """Write "an integer or null" as one type of two names, which editors complete better than a choice."""
    match schema.get("anyOf"):
        case [{"type": str(kind)} as first, {"type": "null"}]:
            rest = {key: value for key, value in schema.items() if key != "anyOf"}
            joined: Schema = {**first, **rest, "type": [kind, "null"]}
            if "enum" in joined:
                joined["enum"] = [*joined["enum"], None]
            return joined
        case _:
            return schema


def _tidy(default: Any) -> Any:
    """A default as people would write it: `30` instead of `30.0`, and no key whose value is null."""
    if isinstance(default, dict):
        return {key: _tidy(value) for key, value in default.items() if value is not None}
    return int(default) if isinstance(default, float) and default.is_integer() else default


def _as_paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(each.split()) for each in text.split("\n\n"))
