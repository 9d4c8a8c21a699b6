"""What can be known to be wrong with an expression before it meets a value: names, fields, functions, types.

Types are followed as far as a schema tells them; where one isn't known everything is allowed, as with CEL's `dyn`.
"""

from dataclasses import dataclass
from typing import Any

from seatrial.sandbox.apiserver.custom.cel.evaluation import field_name
from seatrial.sandbox.apiserver.custom.cel.functions import FUNCTIONS, METHODS
from seatrial.sandbox.apiserver.custom.cel.macros import Comprehension, macro_of, mapped, qualified
from seatrial.sandbox.apiserver.custom.cel.syntax import (
    Call,
    Expression,
    Identifier,
    ListLiteral,
    Literal,
    MapLiteral,
    Select,
    SyntaxProblem,
)
from seatrial.sandbox.apiserver.custom.cel.values import type_name
from seatrial.sandbox.apiserver.custom.node import Node

_FORMATS = {
    "date-time": "timestamp", "datetime": "timestamp", "date": "timestamp", "duration": "duration", "byte": "bytes",
}  # fmt: skip
_RESULTS = {
    **dict.fromkeys(
        ("size", "int", "indexOf", "lastIndexOf", "getFullYear", "getMonth", "getDate", "getHours", "getMinutes",
         "getSeconds", "getMilliseconds", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "compareTo"), "int"),
    **dict.fromkeys(
        ("contains", "startsWith", "endsWith", "matches", "isSorted", "bool", "isURL", "isIP", "isCIDR", "isQuantity",
         "isSemver", "isGreaterThan", "isLessThan", "containsIP", "containsCIDR", "hasValue"), "bool"),
    **dict.fromkeys(
        ("string", "lowerAscii", "upperAscii", "replace", "substring", "trim", "find", "join", "charAt", "format",
         "getScheme", "getHost", "getHostname", "getPort", "getEscapedPath"), "string"),
    "double": "double", "uint": "uint", "bytes": "bytes", "timestamp": "timestamp", "duration": "duration",
}  # fmt: skip
_OPTIONAL_METHODS = ("orValue", "or", "hasValue", "value", "optMap", "optFlatMap")
_TYPE_NAMES = ("bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint")
_COMPARABLE = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
_NUMBERS = ("int", "uint", "double")
_RENAMED = {"null_type": "null", "google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A static type: a scalar's name, or `list`, `map`, `object` with what is inside; `dyn` for anything."""

    name: str
    item: "Kind | None" = None
    node: Node | None = None
    is_resource: bool = False

    def __str__(self) -> str:
        if self.name == "list":
            return f"list({self.item or DYN})"
        if self.name == "map":
            return f"map(string, {self.item or DYN})"
        return self.name


DYN = Kind("dyn")
BOOL = Kind("bool")
STRING = Kind("string")


def kind_of_node(node: Node | None, *, is_resource: bool = False) -> Kind:
    """The type a schema describes."""
    if node is None or node.is_int_or_string or node.is_nullable:
        return DYN
    name = node.type
    if name == "object":
        if node.properties or (node.is_embedded or is_resource):
            return Kind("object", node=node, is_resource=is_resource or node.is_embedded)
        return DYN if node.keeps_unknown or node.additional is None else Kind("map", kind_of_node(node.additional))
    if name == "array":
        return Kind("list", kind_of_node(node.items))
    if name == "string":
        return Kind(_FORMATS.get(str(node.raw.get("format", "")), "string"))
    return Kind({"integer": "int", "number": "double", "boolean": "bool"}.get(name, "dyn"))


def check(tree: Expression, variables: dict[str, Kind]) -> Kind:
    """The type of an expression; SyntaxProblem."""
    if isinstance(tree, Literal):
        name = type_name(tree.value)
        return Kind(_RENAMED.get(name, name))
    if isinstance(tree, Identifier):
        if tree.name in variables:
            return variables[tree.name]
        if tree.name in _TYPE_NAMES:
            return Kind("type")
        raise SyntaxProblem(f"undeclared reference to '{tree.name}' (in container '')", tree.at)
    if isinstance(tree, Select):
        operand = check(tree.operand, variables)
        return DYN if tree.is_optional else _field(operand, tree)
    if isinstance(tree, ListLiteral):
        kinds = [check(item, variables) for item in tree.items]
        same = bool(kinds) and all(kind == kinds[0] for kind in kinds) and not tree.optional
        return Kind("list", kinds[0] if same else DYN)
    if isinstance(tree, MapLiteral):
        for key, value, _ in tree.entries:
            check(key, variables)
            check(value, variables)
        return Kind("map", DYN)
    return _call(tree, variables)


def _field(operand: Kind, tree: Select) -> Kind:
    if operand.name == "map":
        return operand.item or DYN
    if operand.name == "object" and operand.node is not None:
        name = field_name(tree.field)
        if operand.is_resource and name in ("apiVersion", "kind"):
            return STRING
        if operand.is_resource and name == "metadata":
            return DYN
        child = operand.node.child(name)
        if child is not None:
            return kind_of_node(child)
        raise SyntaxProblem(f"undefined field '{tree.field}'", tree.at)
    if operand.name == "dyn":
        return DYN
    raise SyntaxProblem(f"type '{operand}' does not support field selection", tree.at)


def _call(tree: Call, variables: dict[str, Kind]) -> Kind:
    macro = macro_of(tree)
    if macro is not None:
        return _macro(macro, variables)
    name = tree.function
    if tree.target is None and name == "has":
        if len(tree.args) != 1 or not isinstance(tree.args[0], Select):
            raise SyntaxProblem("invalid argument to has() macro", tree.at)
        check(tree.args[0], variables)
        return BOOL
    if tree.target is not None and name in ("optMap", "optFlatMap"):
        check(tree.target, variables)
        variable, body = mapped(tree)
        check(body, {**variables, variable: DYN})
        return DYN
    space = qualified(tree) if tree.target is not None else None
    target = check(tree.target, variables) if tree.target is not None and space is None else None
    args = [check(arg, variables) for arg in tree.args]
    if space is not None:
        return BOOL if space.startswith("sets.") else DYN
    # No name that can be written is an operator's.
    if target is None and not name.isidentifier():
        return _operator(tree, args)
    known = name in METHODS or name in _OPTIONAL_METHODS if target is not None else name in FUNCTIONS
    if not known:
        raise SyntaxProblem(f"undeclared reference to '{name}' (in container '')", tree.at)
    _check_receiver(tree, target, args)
    return Kind(_RESULTS.get(name, "dyn"))


def _check_receiver(tree: Call, target: Kind | None, args: list[Kind]) -> None:
    """Methods of texts need a text; sizes something that has one."""
    texts = ("contains", "startsWith", "endsWith", "matches", "lowerAscii", "upperAscii", "trim", "split", "substring")
    subject = target if target is not None else (args[0] if args else DYN)
    wrong = (tree.function in texts and target is not None and subject.name not in ("string", "dyn")) or (
        tree.function == "size" and subject.name in (*_NUMBERS, "bool", "timestamp", "duration", "null", "object")
    )
    if wrong:
        receiver = f"{subject}." if target is not None else ""
        shown = f"'{receiver}({', '.join(map(str, args))})'"
        raise SyntaxProblem(f"found no matching overload for '{tree.function}' applied to {shown}", tree.at)


def _operator(tree: Call, args: list[Kind]) -> Kind:
    name = tree.function
    names = [arg.name for arg in args]
    known = "dyn" not in names
    if name in ("_&&_", "_||_", "!_"):
        wrong = any(kind not in ("bool", "dyn") for kind in names)
        result = BOOL
    elif name in ("_<_", "_<=_", "_>_", "_>=_"):
        numbers = all(kind in _NUMBERS for kind in names)
        wrong = known and not numbers and (names[0] != names[1] or names[0] not in _COMPARABLE)
        result = BOOL
    elif name in ("_==_", "_!=_"):
        wrong = known and names[0] != names[1] and "null" not in names
        result = BOOL
    elif name == "@in":
        wrong = names[1] in (*_COMPARABLE, "object")
        result = BOOL
    elif name == "_?_:_":
        wrong = names[0] not in ("bool", "dyn")
        result = args[1] if args[1] == args[2] else DYN
    elif name in ("_[_]", "_[?_]"):
        wrong = names[0] in _COMPARABLE
        result = (args[0].item or DYN) if name == "_[_]" else DYN
    else:
        times = any(kind in ("timestamp", "duration") for kind in names)
        wrong = known and not times and (len(set(names)) > 1 or names[0] in ("bool", "null", "map", "object"))
        result = args[0] if known and not times else DYN
    if wrong:
        shown = ", ".join(map(str, args))
        raise SyntaxProblem(f"found no matching overload for '{name}' applied to '({shown})'", tree.at)
    return result


def _macro(macro: Comprehension, variables: dict[str, Kind]) -> Kind:
    source = check(macro.range, variables)
    if macro.name == "bind":
        return check(macro.body, {**variables, macro.variables[0]: source})
    if source.name in _COMPARABLE:
        at: Any = getattr(macro.range, "at", 0)
        raise SyntaxProblem(f"expression of type '{source}' cannot be range of a comprehension", at)
    item = (source.item or DYN) if source.name in ("list", "map") else DYN
    first = STRING if source.name in ("map", "object") else item
    bound = {macro.variables[0]: first}
    if len(macro.variables) > 1:
        bound = {macro.variables[0]: STRING if source.name == "map" else Kind("int"), macro.variables[1]: item}
    inner = {**variables, **bound}
    if macro.guard is not None:
        check(macro.guard, inner)
    result = check(macro.body, inner)
    if macro.name in ("all", "exists", "exists_one"):
        return BOOL
    if macro.name == "filter":
        return source if source.name == "list" else Kind("list", first)
    return Kind("list", result) if macro.name in ("map", "transformList") else DYN
