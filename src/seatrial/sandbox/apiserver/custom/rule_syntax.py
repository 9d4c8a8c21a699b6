"""Validation rules as a definition states them: read, checked against the schema, compiled once."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.cel.checking import Kind, check, kind_of_node
from seatrial.sandbox.apiserver.custom.cel.evaluation import Compute, compile_tree
from seatrial.sandbox.apiserver.custom.cel.syntax import (
    Call,
    Expression,
    Identifier,
    ListLiteral,
    MapLiteral,
    Select,
    SyntaxProblem,
    parse,
)
from seatrial.sandbox.apiserver.custom.cel.values import CelError
from seatrial.sandbox.apiserver.custom.node import Node
from seatrial.sandbox.apiserver.statuses import FieldError, invalid, required, unsupported

_REASONS = ("FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired", "FieldValueDuplicate")


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to run."""

    compute: Compute
    compares_with_old: bool


@lru_cache(maxsize=4096)
def compile_rule(text: str) -> CompiledRule:
    """A rule's function; CelError when it can't be read."""
    tree = parse(text)
    return CompiledRule(compile_tree(tree), _mentions(tree, "oldSelf"))


def _mentions(tree: Expression, name: str) -> bool:
    if isinstance(tree, Identifier):
        return tree.name == name
    parts: list[Expression] = []
    if isinstance(tree, Select):
        parts = [tree.operand]
    elif isinstance(tree, Call):
        parts = [*tree.args, *([tree.target] if tree.target is not None else [])]
    elif isinstance(tree, ListLiteral):
        parts = list(tree.items)
    elif isinstance(tree, MapLiteral):
        parts = [part for key, value, _ in tree.entries for part in (key, value)]
    return any(_mentions(part, name) for part in parts)


def rule_errors(node: Node, path: str) -> list[FieldError]:
    """Everything wrong with the rules of a schema and of what is below it."""
    return _level(node, kind_of_node(node, is_resource=True), path, "")


def _level(node: Node, kind: Kind, path: str, unmatched: str) -> list[FieldError]:
    """The rules of a schema, or of a part of its `allOf`, whose values are of this kind.

    `unmatched` is the list above whose items can't be recognised in the object as it was; empty for none.
    """
    found: list[FieldError] = []
    if not node.has_rules:
        return found
    for index, rule in enumerate(node.rules):
        found += _one_rule(rule, kind, f"{path}.x-kubernetes-validations[{index}]", unmatched)
    for index, part in enumerate(node.all_of):
        found += _level(part, kind, f"{path}.allOf[{index}]", unmatched)
    for key, child in node.properties.items():
        described = kind.node.child(key) if kind.node is not None else child
        found += _level(child, kind_of_node(described), f"{path}.properties[{key}]", unmatched)
    if node.items is not None:
        item = kind.item or kind_of_node(node.items)
        is_matched = node.list_type == "map"
        found += _level(node.items, item, f"{path}.items", unmatched or ("" if is_matched else path))
    if node.additional is not None:
        entry = kind.item or kind_of_node(node.additional)
        found += _level(node.additional, entry, f"{path}.additionalProperties", unmatched)
    return found


def _one_rule(rule: Object, kind: Kind, path: str, unmatched: str) -> list[FieldError]:
    text = rule.get("rule", "").strip()
    if not text:
        return [required(f"{path}.rule", "rule is not specified")]
    found = _expression_errors(rule, "rule", "bool", kind, path)
    if not found and unmatched and compile_rule(rule["rule"]).compares_with_old:
        detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {unmatched}"
        found = [invalid(f"{path}.rule", rule, detail)]
    if rule.get("messageExpression"):
        found += _expression_errors(rule, "messageExpression", "string", kind, path)
    if rule.get("reason") and rule["reason"] not in _REASONS:
        found.append(unsupported(f"{path}.reason", rule["reason"], _REASONS))
    message = rule.get("message", "")
    if "\n" in message.strip():
        found.append(invalid(f"{path}.message", message, "message must not contain line breaks"))
    if not message and "\n" in text and not rule.get("messageExpression"):
        found.append(required(f"{path}.message", "message must be specified if rule contains line breaks"))
    return found


def _expression_errors(rule: Object, key: str, wanted: str, kind: Kind, path: str) -> list[FieldError]:
    text = rule[key]
    where = f"{path}.{key}"
    shown: Any = rule if key == "rule" else text
    try:
        tree = parse(text)
        old = Kind("dyn") if rule.get("optionalOldSelf") else kind
        result = check(tree, {"self": kind, "oldSelf": old})
        compile_tree(tree)
    except SyntaxProblem as problem:
        label = "compilation failed" if key == "rule" else "messageExpression compilation failed"
        return [invalid(where, shown, f"{label}: {_pointed(text, problem)}")]
    except (CelError, LookupError, ValueError, RecursionError) as error:
        return [invalid(where, shown, f"compilation failed: {error}")]
    if result.name not in (wanted, "dyn"):
        detail = f"cel expression must evaluate to a {wanted}"
        if key != "rule":
            detail = "messageExpression must evaluate to a string"
        return [invalid(where, shown, detail)]
    if rule.get("optionalOldSelf") is not None and key == "rule" and not _mentions(tree, "oldSelf"):
        detail = "option optionalOldSelf is set to true, but oldSelf is not referenced in rule"
        return [invalid(f"{path}.optionalOldSelf", value=True, detail=detail)]
    return []


def _pointed(text: str, problem: SyntaxProblem) -> str:
    """The message with the place it is about, as CEL prints it."""
    lines = text[: problem.at].split("\n")
    line, column = len(lines), len(lines[-1])
    source = text.split("\n")[line - 1]
    return f"ERROR: <input>:{line}:{column + 1}: {problem}\n | {source}\n | {'.' * column}^"
