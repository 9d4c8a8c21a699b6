"""Computes expressions: a tree becomes nested functions once, which then run against many objects.

`||` and `&&` let an error on one side pass when the other side decides, as CEL demands. Every step costs one unit of a
budget, so that no rule can hold the server up.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from seatrial.sandbox.apiserver.custom.cel.extensions import NAMESPACES
from seatrial.sandbox.apiserver.custom.cel.functions import FUNCTIONS, METHODS
from seatrial.sandbox.apiserver.custom.cel.macros import MACROS, Comprehension, Entry, macro_of, mapped, qualified
from seatrial.sandbox.apiserver.custom.cel.operators import BINARY, index, negate, no_overload
from seatrial.sandbox.apiserver.custom.cel.syntax import (
    Call,
    Expression,
    Identifier,
    ListLiteral,
    Literal,
    MapLiteral,
    Select,
)
from seatrial.sandbox.apiserver.custom.cel.values import NONE, CelError, Optional, TypeValue

BUDGET = 200_000
_TYPES = ("bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint")
_UNESCAPED = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}


class BudgetError(CelError):
    """The expression took too many steps."""


class Scope:
    """The variables an expression sees, and the steps it may still take."""

    __slots__ = ("steps", "variables")

    def __init__(self, variables: dict[str, Any], steps: list[int]) -> None:
        self.variables = variables
        self.steps = steps

    def with_variables(self, **more: Any) -> "Scope":
        """The same scope with more variables."""
        return Scope({**self.variables, **more}, self.steps)

    def count(self) -> None:
        """Take a step."""
        self.steps[0] -= 1
        if self.steps[0] < 0:
            raise BudgetError("operation cancelled: actual cost limit exceeded")


Compute = Callable[[Scope], Any]


def field_name(name: str) -> str:
    """The field a name in an expression stands for: `__dot__` and its like are written for what CEL can't spell."""
    if not name.startswith("__") and "__" not in name:
        return name
    for escaped, plain in _UNESCAPED.items():
        name = name.replace(escaped, plain)
    if name.startswith("__") and name.endswith("__") and len(name) > 4:
        return name[2:-2]
    return name


def run(compute: Compute, variables: Mapping[str, Any], budget: list[int] | None = None) -> Any:
    """The value of a compiled expression; CelError. `budget` is one number that several runs may share."""
    try:
        return compute(Scope(dict(variables), budget if budget is not None else [BUDGET]))
    except RecursionError:
        raise BudgetError("expression recursion limit exceeded") from None
    except (OverflowError, TypeError, AttributeError, ValueError, LookupError) as error:
        raise CelError(f"no such overload: {error}") from error


def compile_tree(tree: Expression) -> Compute:
    """The function that computes a tree."""
    if isinstance(tree, Literal):
        value = tree.value
        return lambda _scope: value
    if isinstance(tree, Identifier):
        return _identifier(tree)
    if isinstance(tree, Select):
        return _select(tree)
    if isinstance(tree, ListLiteral):
        return _list(tree)
    if isinstance(tree, MapLiteral):
        return _map(tree)
    return _call(tree)


def _identifier(tree: Identifier) -> Compute:
    name = tree.name

    def compute(scope: Scope) -> Any:
        scope.count()
        if name in scope.variables:
            return scope.variables[name]
        if name in _TYPES:
            return TypeValue(name)
        raise CelError(f"no such attribute(s): {name}")

    return compute


def select_field(operand: Any, name: str) -> Any:
    """`operand.name`."""
    if isinstance(operand, dict):
        if name in operand:
            return operand[name]
        plain = field_name(name)
        if plain in operand:
            return operand[plain]
        raise CelError(f"no such key: {name}")
    raise no_overload(f".{name}", operand)


def _select(tree: Select) -> Compute:
    operand, name = compile_tree(tree.operand), tree.field

    def compute(scope: Scope) -> Any:
        scope.count()
        value = operand(scope)
        if isinstance(value, Optional) or tree.is_optional:
            return _optional_field(value, name)
        return select_field(value, name)

    return compute


def _optional_field(value: Any, name: str) -> Optional:
    if isinstance(value, Optional):
        if not value.is_present:
            return NONE
        value = value.value
    try:
        return Optional(select_field(value, name), is_present=True)
    except CelError:
        if isinstance(value, dict):
            return NONE
        raise


def _list(tree: ListLiteral) -> Compute:
    items = [compile_tree(item) for item in tree.items]

    def compute(scope: Scope) -> Any:
        scope.count()
        found = []
        for position, item in enumerate(items):
            value = item(scope)
            if position in tree.optional:
                found += [value.value] if isinstance(value, Optional) and value.is_present else []
            else:
                found.append(value)
        return found

    return compute


def _map(tree: MapLiteral) -> Compute:
    entries = [(compile_tree(key), compile_tree(value), optional) for key, value, optional in tree.entries]

    def compute(scope: Scope) -> Any:
        scope.count()
        found: dict[Any, Any] = {}
        for key, value, optional in entries:
            name, entry = key(scope), value(scope)
            if name in found:
                raise CelError(f"Failed with repeated key: {name}")
            if not optional:
                found[name] = entry
            elif isinstance(entry, Optional) and entry.is_present:
                found[name] = entry.value
        return found

    return compute


def _call(tree: Call) -> Compute:
    macro = macro_of(tree)
    if macro is not None:
        return _comprehension(macro)
    name = tree.function
    if tree.target is None and name == "has" and len(tree.args) == 1:
        return _has(tree)
    if tree.target is None and name in _SPECIAL:
        return _SPECIAL[name](*(compile_tree(arg) for arg in tree.args))
    args = [compile_tree(arg) for arg in tree.args]
    if tree.target is None:
        return _function(_plain_function(name), args)
    space = qualified(tree)
    if space is not None:
        return _function(NAMESPACES[space], args)
    if name in ("orValue", "or", "hasValue", "value", "optMap", "optFlatMap"):
        return _optional_method(name, compile_tree(tree.target), tree)
    return _function(METHODS[name], [compile_tree(tree.target), *args])


def _plain_function(name: str) -> Callable[..., Any]:
    if name in BINARY:
        return BINARY[name]
    builtin: dict[str, Callable[..., Any]] = {"!_": _negation, "-_": negate, "_[_]": index}
    return builtin.get(name) or FUNCTIONS[name]


def _negation(value: Any) -> bool:
    if not isinstance(value, bool):
        raise no_overload("!_", value)
    return not value


def _function(function: Callable[..., Any], args: list[Compute]) -> Compute:
    def compute(scope: Scope) -> Any:
        scope.count()
        values = [arg(scope) for arg in args]
        return function(*values)

    return compute


def _has(tree: Call) -> Compute:
    selected = tree.args[0]
    if not isinstance(selected, Select):
        raise CelError("invalid argument to has() macro")
    operand, name = compile_tree(selected.operand), selected.field

    def compute(scope: Scope) -> Any:
        scope.count()
        value = operand(scope)
        if isinstance(value, Optional):
            return _optional_field(value, name).is_present
        if not isinstance(value, dict):
            raise no_overload(f"has(.{name})", value)
        return name in value or field_name(name) in value

    return compute


def _both(left: Compute, right: Compute) -> Compute:
    return _logic(left, right, decides=False, name="_&&_")


def _either(left: Compute, right: Compute) -> Compute:
    return _logic(left, right, decides=True, name="_||_")


def _logic(left: Compute, right: Compute, *, decides: bool, name: str) -> Compute:
    def compute(scope: Scope) -> Any:
        scope.count()
        trouble: CelError | None = None
        for side in (left, right):
            try:
                value = side(scope)
                if value is decides:
                    return decides
                if not isinstance(value, bool):
                    trouble = trouble or no_overload(name, value)
            except BudgetError:
                raise
            except CelError as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return not decides

    return compute


def _choice(condition: Compute, first: Compute, second: Compute) -> Compute:
    def compute(scope: Scope) -> Any:
        scope.count()
        value = condition(scope)
        if not isinstance(value, bool):
            raise no_overload("_?_:_", value)
        return first(scope) if value else second(scope)

    return compute


def _optional_index(container: Compute, key: Compute) -> Compute:
    def compute(scope: Scope) -> Any:
        scope.count()
        value, wanted = container(scope), key(scope)
        if isinstance(value, Optional):
            if not value.is_present:
                return NONE
            value = value.value
        try:
            return Optional(index(value, wanted), is_present=True)
        except CelError as error:
            if str(error).startswith(("no such key", "index out")):
                return NONE
            raise

    return compute


_SPECIAL: dict[str, Callable[..., Compute]] = {
    "_&&_": _both,
    "_||_": _either,
    "_?_:_": _choice,
    "_[?_]": _optional_index,
}


def _optional_method(name: str, target: Compute, tree: Call) -> Compute:
    variable, inner = mapped(tree) if name in ("optMap", "optFlatMap") else ("", tree.args[0] if tree.args else None)
    body = compile_tree(inner) if inner is not None else None

    def compute(scope: Scope) -> Any:
        scope.count()
        value = target(scope)
        if not isinstance(value, Optional):
            raise no_overload(name, value)
        if name == "hasValue":
            return value.is_present
        if name == "value":
            if not value.is_present:
                raise CelError("optional.none() dereference")
            return value.value
        if body is None:
            raise no_overload(name, value)
        if name in ("or", "orValue"):
            if value.is_present:
                return value if name == "or" else value.value
            return body(scope)
        if not value.is_present:
            return NONE
        result = body(scope.with_variables(**{variable: value.value}))
        return result if name == "optFlatMap" else Optional(result, is_present=True)

    return compute


def _comprehension(macro: Comprehension) -> Compute:
    if macro.name == "bind":
        value, body = compile_tree(macro.range), compile_tree(macro.body)
        name = macro.variables[0]
        return lambda scope: body(scope.with_variables(**{name: value(scope)}))
    source, body = compile_tree(macro.range), compile_tree(macro.body)
    guard = compile_tree(macro.guard) if macro.guard is not None else None
    combine = MACROS[macro.name]

    def compute(scope: Scope) -> Any:
        scope.count()
        container = source(scope)
        if not isinstance(container, list | dict):
            raise no_overload(macro.name, container)

        def results() -> Iterator[Entry]:
            for pair in _entries(container, len(macro.variables)):
                scope.count()
                inner = scope.with_variables(**dict(zip(macro.variables, pair, strict=False)))
                yield pair, partial(guard, inner) if guard else None, partial(body, inner)

        return combine(container, results(), BudgetError)

    return compute


def _entries(container: Any, count: int) -> list[tuple[Any, Any]]:
    if isinstance(container, dict):
        return list(container.items())
    return list(enumerate(container)) if count > 1 else [(item, item) for item in container]
