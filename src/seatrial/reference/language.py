"""The page about the policy language, from the models that validate it."""

import types
import typing
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from seatrial.policy.base import Model, OneKey
from seatrial.policy.documentation import documentation_of
from seatrial.policy.late_models import LateModel, type_of
from seatrial.steps.registry import policy_model

_INTRODUCTION = """# The policy language

Written from the code by `make docs`. A policy is a YAML 1.2 file; unknown keys are errors. `seatrial validate` checks a
file, `seatrial schema` prints the JSON Schema for editors.
"""

_PLAIN = {"str": "text", "int": "integer", "float": "number", "bool": "`true` or `false`", "NoneType": "nothing",
          "SecretStr": "text (secret)"}  # fmt: skip


def language_page() -> str:
    """The whole page: the top level first, then each model where it is first used."""
    parts = [_INTRODUCTION]
    for title, model in models():
        parts += [f"## {title}\n", f"{_flowed(model.__doc__)}\n", *_table(model), ""]
    return "\n".join(parts).rstrip() + "\n"


def models() -> list[tuple[str, type[Model]]]:
    """All models with the titles under which the page has them, outermost first."""
    found: dict[type[Model], tuple[str, ...]] = {}
    waiting: list[tuple[tuple[str, ...], type[Model]]] = [((), policy_model())]
    while waiting:
        path, model = waiting.pop(0)
        if model in found:
            continue
        found[model] = path
        for name, field in model.model_fields.items():
            waiting += [((*path, field.alias or name), inner) for inner in _models_in(type_of(field))]
    paths = list(found.values())
    return [(_title(path, paths), model) for model, path in found.items()]


def _title(path: tuple[str, ...], paths: list[tuple[str, ...]]) -> str:
    """The last two keys of a path; more where another path ends in the same ones."""
    length = 2
    while sum(other[-length:] == path[-length:] for other in paths) > 1:
        length += 1
    return " / ".join(path[-length:]) or "policy"


def _table(model: type[Model]) -> Iterator[str]:
    if not model.model_fields:
        yield "No keys."
        return
    if issubclass(model, OneKey):
        yield "Exactly one of these keys.\n"
        yield "| key | value | meaning |\n|---|---|---|"
        yield from (f"| `{key}` | {_kind(field)} | {_flowed(text)} |" for key, field, text in _fields(model))
        return
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    for key, field, text in _fields(model):
        yield f"| `{key}` | {_kind(field)} | {_default(field)} | {_flowed(text)} |"


def _fields(model: type[Model]) -> Iterator[tuple[str, FieldInfo, str]]:
    """Each field's key, the field, and its documentation."""
    documented = documentation_of(model)
    for name, field in model.model_fields.items():
        yield field.alias or name, field, documented.get(name, "")


def _kind(field: FieldInfo) -> str:
    bounds = [words for each in field.metadata for words in _bounds(each)]
    return _type_words(type_of(field)) + (f", {', '.join(bounds)}" if bounds else "")


def _bounds(constraint: Any) -> Iterator[str]:
    for name, words in (("ge", ">= {}"), ("gt", "> {}"), ("le", "<= {}"), ("min_length", "at least {} long"),
                        ("max_length", "at most {} long")):  # fmt: skip
        value = getattr(constraint, name, None)
        if value is not None:
            yield words.format(value)
    yield from (words for inner in getattr(constraint, "metadata", ()) for words in _bounds(inner))


def _type_words(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        if late := _late_models_in(arguments):
            return _type_words(late[0])
        return ", ".join([_type_words(arguments[0]), *(words for each in arguments[1:] for words in _bounds(each))])
    if origin is Literal:
        return " or ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join(_type_words(each) for each in arguments if each is not type(None))
    if origin is tuple:
        return f"list of {_type_words(arguments[0])}"
    if isinstance(kind, type) and issubclass(kind, Model):
        title = next((title for title, model in models() if model is kind), kind.__name__)
        return f"[{title}](#{_anchor(title)})"
    return _PLAIN.get(getattr(kind, "__name__", str(kind)), str(kind))


def _models_in(kind: Any) -> Iterator[type[Model]]:
    if isinstance(kind, type) and issubclass(kind, Model):
        yield kind
    for inner in (*typing.get_args(kind), *_late_models_in(typing.get_args(kind))):
        yield from _models_in(inner)


def _late_models_in(arguments: Sequence[Any]) -> list[type[BaseModel]]:
    return [each.model for each in arguments if isinstance(each, LateModel)]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if value is None or value in ((), ""):
        return ""
    if isinstance(value, Model):
        return "as below"
    if isinstance(value, tuple):
        return f"`{', '.join(str(each) for each in value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _anchor(title: str) -> str:
    kept = (character for character in title.lower() if character.isalnum() or character in " -_")
    return "".join(kept).replace(" ", "-")


def _flowed(text: str | None) -> str:
    paragraphs = (text or "").strip().split("\n\n")
    return " ".join(" ".join(each.split()) for each in paragraphs).replace("|", "\\|")
