"""Applies the validation rules (`x-kubernetes-validations`) of a schema to a value.

A rule that mentions `oldSelf` judges a change, and is left out where there is no old value; one that judges a value is
left out where the value hasn't changed and failed before as well.
"""

from dataclasses import dataclass
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.cel.evaluation import BudgetError, run
from seatrial.sandbox.apiserver.custom.cel.values import NONE, CelError, Optional, from_json
from seatrial.sandbox.apiserver.custom.node import ABSENT, Node, Path, below, counterpart, counterparts
from seatrial.sandbox.apiserver.custom.rule_syntax import compile_rule
from seatrial.sandbox.apiserver.json_text import same
from seatrial.sandbox.apiserver.statuses import FieldError, duplicate, forbidden_field, invalid, required

TOTAL_BUDGET = 500_000
_BLOCKING = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)


@dataclass(frozen=True, slots=True)
class _Subject:
    """A value: where it stands, what it was, and the schema that says of what type it is."""

    value: Any
    old: Any
    path: Path
    node: Node
    is_resource: bool = False

    def field(self, key: str) -> "_Subject | None":
        """A field of an object; None for one that the schema doesn't know."""
        node = self.node.child(key)
        if node is None:
            return None
        path = below(self.path, key) if key in self.node.properties else f"{self.path}[{key}]"
        return _Subject(self.value[key], counterpart(self.old, key), path, node, node.is_embedded)

    def items(self) -> "list[_Subject]":
        """The items of a list."""
        node = self.node.items
        if node is None:
            return []
        before = counterparts(self.old, self.value, self.node)
        return [
            _Subject(item, before[index], f"{self.path}[{index}]", node, node.is_embedded)
            for index, item in enumerate(self.value)
        ]

    def variables(self) -> dict[str, Any]:
        """What an expression sees: self, and oldSelf where there was one."""
        found = {"self": from_json(_visible(self.value) if self.is_resource else self.value, self.node)}
        if self.old is not ABSENT and self.old is not None:
            found["oldSelf"] = from_json(_visible(self.old) if self.is_resource else self.old, self.node)
        return found


def errors_of(value: Any, node: Node, earlier: list[FieldError], old: Any = ABSENT) -> list[FieldError]:
    """What the rules of a schema find; nothing is tried on a value whose form is already wrong."""
    if not node.has_rules:
        return []
    if any(error.reason in _BLOCKING for error in earlier):
        return [FieldError("FieldValueInvalid", "<nil>", f"Invalid value: null: {_UNCHECKED}")]
    try:
        return _level(_Subject(value, old, "", node, is_resource=True), node, [TOTAL_BUDGET])
    except BudgetError:
        text = "validation failed due to running out of cost budget, no further validation rules will be run"
        return [FieldError("FieldValueInvalid", "<nil>", f"Invalid value: {text}")]


def _level(subject: _Subject, node: Node, budget: list[int]) -> list[FieldError]:
    """The rules of a schema, or of a part of its `allOf`, at this level and below."""
    found: list[FieldError] = []
    if not node.has_rules or subject.value is None:
        return found
    if node.rules:
        found += _own_rules(subject, node.rules, budget)
    for part in node.all_of:
        found += _level(subject, part, budget)
    if isinstance(subject.value, dict):
        for key in subject.value:
            inner, child = node.child(key), subject.field(key)
            if inner is not None and child is not None:
                found += _level(child, inner, budget)
    elif isinstance(subject.value, list) and node.items is not None:
        for item in subject.items():
            found += _level(item, node.items, budget)
    return found


def _own_rules(subject: _Subject, rules: tuple[Object, ...], budget: list[int]) -> list[FieldError]:
    variables = subject.variables()
    is_unchanged = subject.old is not ABSENT and same(subject.value, subject.old)
    found = []
    for rule in rules:
        seen = _seen(rule, variables, is_unchanged=is_unchanged)
        error = _verdict(rule, seen, subject, budget) if seen is not None else None
        if error is not None:
            found.append(error)
    return found


def _seen(rule: Object, variables: dict[str, Any], *, is_unchanged: bool) -> dict[str, Any] | None:
    """The variables of a rule; None when it has nothing to judge."""
    if not compile_rule(rule["rule"]).compares_with_old:
        return None if is_unchanged else variables
    if rule.get("optionalOldSelf"):
        there = "oldSelf" in variables
        return {**variables, "oldSelf": Optional(variables["oldSelf"], is_present=True) if there else NONE}
    return variables if "oldSelf" in variables else None


def _verdict(rule: Object, variables: dict[str, Any], subject: _Subject, budget: list[int]) -> FieldError | None:
    shown = str(rule.get("message") or rule["rule"]).strip()
    try:
        if run(compile_rule(rule["rule"]).compute, variables, budget) is True:
            return None
        return _failure(rule, _message(rule, variables, budget), subject)
    except BudgetError:
        raise
    except CelError as error:
        text = f"{error} evaluating rule: {shown}"
        if str(error).startswith("no such overload"):
            text = f"'{error}': call arguments did not match a supported operator, function or macro signature "
            text += f"for rule: {shown}"
        return _invalid(subject.path or "<nil>", subject.value, text)


def _message(rule: Object, variables: dict[str, Any], budget: list[int]) -> str:
    if rule.get("messageExpression"):
        try:
            text = run(compile_rule(rule["messageExpression"]).compute, variables, budget)
        except BudgetError:
            raise
        except CelError:
            text = ""
        if isinstance(text, str) and text.strip() and "\n" not in text.strip():
            return text.strip()
    return str(rule.get("message") or f"failed rule: {rule['rule']}").strip()


def _failure(rule: Object, text: str, subject: _Subject) -> FieldError:
    where = f"{subject.path}{rule.get('fieldPath', '')}".lstrip(".") or "<nil>"
    reason = rule.get("reason", "")
    if reason == "FieldValueRequired":
        return required(where, text)
    if reason == "FieldValueForbidden":
        return forbidden_field(where, text)
    if reason == "FieldValueDuplicate":
        return duplicate(where, subject.value)
    return _invalid(where, subject.value, text)


def _invalid(where: str, value: Any, text: str) -> FieldError:
    """Objects and lists aren't repeated in the message."""
    if isinstance(value, dict | list):
        return FieldError("FieldValueInvalid", where, f"Invalid value: {text}")
    return invalid(where, value, text)


def _visible(value: Any) -> Any:
    """A resource as its rules see it: of the metadata only the names."""
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return value
    meta = {key: value["metadata"][key] for key in ("name", "generateName") if key in value["metadata"]}
    return {**value, "metadata": meta}
