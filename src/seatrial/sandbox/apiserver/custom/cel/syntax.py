"""Reads CEL text into a tree; every node knows where it began, so that messages can point there."""

import re
from dataclasses import dataclass
from typing import Any

from seatrial.sandbox.apiserver.custom.cel.values import CelError, Uint


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Any
    at: int


@dataclass(frozen=True, slots=True)
class Identifier:
    """A variable or a type."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`; `is_optional` for `operand.?field`."""

    operand: "Expression"
    field: str
    at: int
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function, an operator (`_+_`) or, with a target, a method."""

    function: str
    args: tuple["Expression", ...]
    at: int
    target: "Expression | None" = None


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, ?b]`; `optional` holds the positions with a question mark."""

    items: tuple["Expression", ...]
    at: int
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{a: b}`."""

    entries: tuple[tuple["Expression", "Expression", bool], ...]
    at: int


Expression = Literal | Identifier | Select | Call | ListLiteral | MapLiteral

_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*)"
    r"|(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)"
    r"|(?P<int>0[xX][0-9a-fA-F]+|\d+)(?P<unsigned>[uU])?"
    r"|(?P<string>[rRbB]{0,2}(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'))"
    r"|(?P<name>[_a-zA-Z][_a-zA-Z0-9]*|`[^`\n]+`)"
    r"|(?P<operator>==|!=|<=|>=|&&|\|\||\.\?|\[\?|[-+*/%<>!?:.,()\[\]{}])",
    re.DOTALL,
)
_RELATIONS = ("<", "<=", ">=", ">", "==", "!=", "in")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|X[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL)
_DEEPEST = 120


class SyntaxProblem(CelError):  # noqa: N818 -- a problem of the writer's, told by message
    """Text that isn't CEL, or an expression that can't work; `at` is where."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int
    value: Any = None


def parse(text: str) -> Expression:
    """Read an expression; SyntaxProblem."""
    parser = _Parser(_tokens(text))
    expression = parser.expression()
    parser.expect_end()
    return expression


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SyntaxProblem(f"Syntax error: token recognition error at: '{text[position]}'", position)
        at, position = position, match.end()
        if match["space"]:
            continue
        if match["float"]:
            found.append(_Token("literal", match[0], at, float(match[0])))
        elif match["int"]:
            number = int(match["int"], 16 if match["int"][:2] in ("0x", "0X") else 10)
            found.append(_Token("literal", match[0], at, Uint(number) if match["unsigned"] else number))
        elif match["string"]:
            found.append(_Token("literal", match[0], at, _text(match["string"])))
        elif match["name"]:
            found.append(_Token("name", match["name"], at))
        else:
            found.append(_Token("operator", match[0], at))
    found.append(_Token("end", "<EOF>", len(text)))
    return found


def _text(source: str) -> str | bytes:
    body = source.lstrip("rRbB")
    prefix = source[: len(source) - len(body)].lower()
    width = 3 if body[:3] in ('"""', "'''") else 1
    body = body[width:-width]
    if "r" not in prefix:
        body = _ESCAPE.sub(_escape, body)
    return body.encode() if "b" in prefix else body


def _escape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xXuU":
        return chr(int(code[1:], 16))
    if len(code) == 3:
        return chr(int(code, 8))
    return _ESCAPES.get(code, code)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._position]

    def _accept(self, *texts: str) -> _Token | None:
        token = self._next
        if token.kind in ("operator", "name") and token.text in texts:
            self._position += 1
            return token
        return None

    def _expect(self, text: str) -> _Token:
        token = self._accept(text)
        if token is None:
            raise self._mismatch(f"'{text}'")
        return token

    def _mismatch(self, expected: str) -> SyntaxProblem:
        return SyntaxProblem(f"Syntax error: mismatched input '{self._next.text}' expecting {expected}", self._next.at)

    def expect_end(self) -> None:
        if self._next.kind != "end":
            raise self._mismatch("<EOF>")

    def expression(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SyntaxProblem("expression recursion limit exceeded", self._next.at)
        condition = self._disjunction()
        mark = self._accept("?")
        if mark is not None:
            first = self._disjunction()
            self._expect(":")
            condition = Call("_?_:_", (condition, first, self.expression()), mark.at)
        self._depth -= 1
        return condition

    def _disjunction(self) -> Expression:
        left = self._conjunction()
        while token := self._accept("||"):
            left = Call("_||_", (left, self._conjunction()), token.at)
        return left

    def _conjunction(self) -> Expression:
        left = self._relation()
        while token := self._accept("&&"):
            left = Call("_&&_", (left, self._relation()), token.at)
        return left

    def _relation(self) -> Expression:
        left = self._sum()
        while token := self._accept(*_RELATIONS):
            name = "@in" if token.text == "in" else f"_{token.text}_"
            left = Call(name, (left, self._sum()), token.at)
        return left

    def _sum(self) -> Expression:
        left = self._product()
        while token := self._accept("+", "-"):
            left = Call(f"_{token.text}_", (left, self._product()), token.at)
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while token := self._accept("*", "/", "%"):
            left = Call(f"_{token.text}_", (left, self._unary()), token.at)
        return left

    def _unary(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SyntaxProblem("expression recursion limit exceeded", self._next.at)
        token = self._accept("!", "-")
        if token is None:
            operand = self._member()
        else:
            inner = self._unary()
            negates = token.text == "-" and isinstance(inner, Literal) and type(inner.value) in (int, float)
            operand = (
                Literal(-inner.value, token.at)
                if negates and isinstance(inner, Literal)
                else Call(f"{token.text}_", (inner,), token.at)
            )
        self._depth -= 1
        return operand

    def _member(self) -> Expression:
        operand = self._primary()
        while token := self._accept(".", ".?", "[", "[?"):
            if token.text in (".", ".?"):
                name = self._name()
                if token.text == "." and self._accept("("):
                    operand = Call(name, self._arguments(")"), token.at, operand)
                else:
                    operand = Select(operand, name, token.at, is_optional=token.text == ".?")
            else:
                index = self.expression()
                self._expect("]")
                operand = Call("_[?_]" if token.text == "[?" else "_[_]", (operand, index), token.at)
        return operand

    def _name(self) -> str:
        token = self._next
        if token.kind != "name":
            raise self._mismatch("IDENTIFIER")
        self._position += 1
        return token.text.strip("`")

    def _arguments(self, closing: str) -> tuple[Expression, ...]:
        found: list[Expression] = []
        while not self._accept(closing):
            found.append(self.expression())
            if not self._accept(","):
                self._expect(closing)
                break
        return tuple(found)

    def _primary(self) -> Expression:
        token = self._next
        if token.kind == "literal":
            self._position += 1
            return Literal(token.value, token.at)
        if self._accept("("):
            inner = self.expression()
            self._expect(")")
            return inner
        if self._accept("["):
            return self._list(token.at)
        if self._accept("[?"):
            return self._list(token.at, first_is_optional=True)
        if self._accept("{"):
            return self._map(token.at)
        self._accept(".")
        if self._next.kind != "name":
            raise self._mismatch("an expression")
        name = self._name()
        constants: dict[str, Any] = {"true": True, "false": False, "null": None}
        if name in constants:
            return Literal(constants[name], token.at)
        if self._accept("("):
            return Call(name, self._arguments(")"), token.at)
        return Identifier(name, token.at)

    def _list(self, at: int, *, first_is_optional: bool = False) -> Expression:
        items: list[Expression] = []
        optional = {0} if first_is_optional else set()
        while not self._accept("]"):
            if self._accept("?"):
                optional.add(len(items))
            items.append(self.expression())
            if not self._accept(","):
                self._expect("]")
                break
        return ListLiteral(tuple(items), at, frozenset(optional))

    def _map(self, at: int) -> Expression:
        entries = []
        while not self._accept("}"):
            is_optional = self._accept("?") is not None
            key = self.expression()
            self._expect(":")
            entries.append((key, self.expression(), is_optional))
            if not self._accept(","):
                self._expect("}")
                break
        return MapLiteral(tuple(entries), at)
