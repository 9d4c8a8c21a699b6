"""What is written below the fields of a model: the sentences of the reference and of the JSON Schema.

They stand in the source as string literals after each field. They are read from there when somebody asks, not when
the models are made: every run needs the models, few need their documentation, and reading it takes longer than all else
that makes a model.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from pydantic import BaseModel

from seatrial.policy.late_models import late_model_of


def documentation_of(model: type[BaseModel]) -> dict[str, str]:
    """The documentation of each field that has any, those of the classes that the model is derived from included.

    A field of which nothing is written has the first paragraph of its model, where that is loaded late.
    """
    late = {name: late_model_of(field) for name, field in model.model_fields.items()}
    found = {name: summary_of(each.model) for name, each in late.items() if each}
    for cls in reversed(model.__mro__):
        found |= _written_in(cls)
    said = {name: field.description for name, field in model.model_fields.items() if field.description}
    return {name: text for name, text in (found | said).items() if name in model.model_fields}


def summary_of(model: type[BaseModel]) -> str:
    """The first paragraph of a model's docstring."""
    return (model.__doc__ or "").strip().partition("\n\n")[0]


@cache
def _written_in(cls: type) -> dict[str, str]:
    if cls is BaseModel or not issubclass(cls, BaseModel):
        return {}
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        # Made while the program runs, from a table that brings its own descriptions.
        return {}
    return dict(_docstrings(ast.parse(source).body[0]))


def _docstrings(definition: ast.stmt) -> Iterator[tuple[str, str]]:
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, after in pairwise(body):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                yield name, inspect.cleandoc(text)
