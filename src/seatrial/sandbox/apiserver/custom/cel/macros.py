"""The macros of CEL: what looks like a method but takes an expression of a variable (`list.all(x, x > 0)`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from seatrial.sandbox.apiserver.custom.cel.extensions import NAMESPACES
from seatrial.sandbox.apiserver.custom.cel.operators import no_overload
from seatrial.sandbox.apiserver.custom.cel.syntax import Call, Expression, Identifier, Select, SyntaxProblem
from seatrial.sandbox.apiserver.custom.cel.values import CelError

Entry = tuple[tuple[Any, Any], Callable[[], Any] | None, Callable[[], Any]]


@dataclass(frozen=True, slots=True)
class Comprehension:
    """A macro taken apart: over what, under which names, and what is computed for each."""

    name: str
    range: Expression
    variables: tuple[str, ...]
    body: Expression
    guard: Expression | None = None


_NAMES = frozenset(
    {"all", "exists", "exists_one", "existsOne", "filter", "map", "transformList", "transformMap", "sortBy"}
)


def macro_of(tree: Call) -> Comprehension | None:
    """The macro a call is, or None for a function."""
    if isinstance(tree.target, Identifier) and tree.target.name == "cel" and tree.function == "bind":
        if len(tree.args) != 3 or not isinstance(tree.args[0], Identifier):
            return None
        return Comprehension("bind", tree.args[1], (tree.args[0].name,), tree.args[2])
    if tree.target is None or tree.function not in _NAMES:
        return None
    count = len(tree.args)
    leading = [arg.name for arg in tree.args[:2] if isinstance(arg, Identifier)]
    name = "exists_one" if tree.function == "existsOne" else tree.function
    if name in ("transformList", "transformMap"):
        if count not in (3, 4) or len(leading) < 2:
            return None
        return Comprehension(name, tree.target, tuple(leading), tree.args[-1], tree.args[2] if count == 4 else None)
    if not leading or not isinstance(tree.args[0], Identifier):
        return None
    if count == 2:
        return Comprehension(name, tree.target, (leading[0],), tree.args[1])
    if count == 3 and name == "map":
        return Comprehension(name, tree.target, (leading[0],), tree.args[2], tree.args[1])
    if count == 3 and name in ("all", "exists", "exists_one") and len(leading) == 2:
        return Comprehension(name, tree.target, tuple(leading), tree.args[2])
    return None


def mapped(tree: Call) -> tuple[str, Expression]:
    """The variable and the expression of `optional.optMap(x, x + 1)`; SyntaxProblem."""
    if len(tree.args) != 2 or not isinstance(tree.args[0], Identifier):
        raise SyntaxProblem(f"{tree.function}() variable name must be a simple identifier", tree.at)
    return tree.args[0].name, tree.args[1]


def qualified(tree: Call) -> str | None:
    """`optional.of`, `math.greatest`: the name of a function written with a namespace; None for a method."""
    parts = [tree.function]
    node = tree.target
    while isinstance(node, Select):
        parts.append(node.field)
        node = node.operand
    if not isinstance(node, Identifier):
        return None
    name = ".".join([node.name, *reversed(parts)])
    return name if name in NAMESPACES else None


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise no_overload(name, value)
    return value


def _quantify(entries: Iterator[Entry], budget_error: type[CelError], *, decides: bool, name: str) -> bool:
    trouble: CelError | None = None
    for _, _, body in entries:
        try:
            if _truth(name, body()) is decides:
                return decides
        except budget_error:
            raise
        except CelError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return not decides


def _all(_container: Any, entries: Iterator[Entry], budget_error: type[CelError]) -> Any:
    return _quantify(entries, budget_error, decides=False, name="all")


def _exists(_container: Any, entries: Iterator[Entry], budget_error: type[CelError]) -> Any:
    return _quantify(entries, budget_error, decides=True, name="exists")


def _exists_one(_container: Any, entries: Iterator[Entry], _budget_error: type[CelError]) -> Any:
    return sum(_truth("exists_one", body()) for _, _, body in entries) == 1


def _filter(_container: Any, entries: Iterator[Entry], _budget_error: type[CelError]) -> Any:
    return [first for (first, _), _, body in entries if _truth("filter", body())]


def _passes(guard: Callable[[], Any] | None) -> bool:
    return guard is None or _truth("map", guard())


def _map(_container: Any, entries: Iterator[Entry], _budget_error: type[CelError]) -> Any:
    return [body() for _, guard, body in entries if _passes(guard)]


def _transform_map(_container: Any, entries: Iterator[Entry], _budget_error: type[CelError]) -> Any:
    return {first: body() for (first, _), guard, body in entries if _passes(guard)}


def _sort_by(_container: Any, entries: Iterator[Entry], _budget_error: type[CelError]) -> Any:
    keyed = [(body(), first) for (first, _), _, body in entries]
    try:
        return [item for _, item in sorted(keyed, key=lambda entry: entry[0])]
    except TypeError:
        raise no_overload("sortBy", *(key for key, _ in keyed[:2])) from None


MACROS: dict[str, Callable[[Any, Iterator[Entry], type[CelError]], Any]] = {
    "all": _all,
    "exists": _exists,
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _map,
    "transformList": _map,
    "transformMap": _transform_map,
    "sortBy": _sort_by,
}
