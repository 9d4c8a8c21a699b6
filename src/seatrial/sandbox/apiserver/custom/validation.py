"""Whether a value satisfies a schema, in the words of Kubernetes' own validator.

Checks come in that validator's order: type, combined schemas, text, format, number, list, enumeration, fields. Where
the value as it was is known, what hasn't changed is not judged again (Kubernetes calls this ratcheting), so that a
schema that became stricter doesn't freeze the objects there are.
"""

from typing import Any

from seatrial.sandbox.apiserver.custom.formats import FORMATS
from seatrial.sandbox.apiserver.custom.node import ABSENT, Node, Path, below, counterpart, counterparts
from seatrial.sandbox.apiserver.json_text import same
from seatrial.sandbox.apiserver.statuses import FieldError, go_json, invalid, required, unsupported

_INTEGER_BITS = {"int32": 32, "int64": 64, "": 64}


def errors_of(value: Any, node: Node, path: Path = "", old: Any = ABSENT) -> list[FieldError]:
    """Everything wrong with a value."""
    if old is not ABSENT and same(value, old):
        return []
    found: list[FieldError] = []
    kind = kind_of(value)
    type_error = _type_error(value, kind, node, path)
    if type_error is not None:
        found.append(type_error)
    if value is None:
        return found if type_error else found + _enumeration_errors(value, node, path)
    found += _combination_errors(value, node, path, old)
    if kind == "string":
        found += _text_errors(value, node, path)
    elif kind in ("integer", "number"):
        found += _number_errors(value, node, path)
    elif kind == "array":
        found += _list_errors(value, node, path, old)
    found += _enumeration_errors(value, node, path)
    if kind == "object":
        found += _field_errors(value, node, path, old)
    return found


def kind_of(value: Any) -> str:
    """The JSON Schema type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    kinds = ((str, "string"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object"))
    return next(name for kind, name in kinds if isinstance(value, kind))


def is_whole(value: Any) -> bool:
    """Whether a number has no fraction: 3.0 counts as an integer."""
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _wrong_type(path: Path, wanted: str, shown: str) -> FieldError:
    detail = f'{path or chr(34) * 2} in body must be of type {wanted}: "{shown}"'
    field = path or "<nil>"
    return FieldError("FieldValueTypeInvalid", field, f"Invalid value: {go_json(shown)}: {detail}")


def _type_error(value: Any, kind: str, node: Node, path: Path) -> FieldError | None:
    wanted = ",".join(node.types)
    if value is None:
        return None if node.is_nullable or not wanted else _wrong_type(path, wanted, "null")
    given = str(node.raw.get("format", ""))
    if kind == "string" and given and not {"integer", "number"} & set(node.types):
        check = FORMATS.get(given.replace("-", ""))
        if check is None or check(value):
            return None if kind in node.types or not wanted else _wrong_type(path, wanted, kind)
        return _wrong_type(path, given, value)
    fits = kind in node.types
    fits = fits or (kind == "number" and "integer" in node.types and is_whole(value))
    fits = fits or (kind == "integer" and "number" in node.types)
    return None if fits or not wanted else _wrong_type(path, wanted, kind)


def _combination_errors(value: Any, node: Node, path: Path, old: Any) -> list[FieldError]:
    if not (node.all_of or node.any_of or node.one_of or node.negated):
        return []
    found: list[FieldError] = []
    if node.any_of:
        results = [errors_of(value, part, path) for part in node.any_of]
        if all(results):
            found += [_general(f'"{path}" must validate at least one schema (anyOf)'), *_closest(results)]
    if node.one_of:
        results = [errors_of(value, part, path) for part in node.one_of]
        matching = sum(not result for result in results)
        if matching != 1:
            why = f"Found {matching} valid alternatives" if matching else "Found none valid"
            found.append(_general(f'"{path}" must validate one and only one schema (oneOf). {why}'))
            found += [] if matching else _closest(results)
    if node.all_of:
        results = [errors_of(value, part, path, old) for part in node.all_of]
        if any(results):
            none = ". None validated" if all(results) else ""
            found += [error for result in results for error in result]
            found.append(_general(f'"{path}" must validate all the schemas (allOf){none}'))
    if node.negated is not None and not errors_of(value, node.negated, path):
        found.append(_general(f'"{path}" must not validate the schema (not)'))
    return found


def _closest(results: list[list[FieldError]]) -> list[FieldError]:
    """The errors of the alternative that was missed by least."""
    return min(results, key=len)


def _general(text: str) -> FieldError:
    return invalid("<nil>", "", text)


def _text_errors(value: str, node: Node, path: Path) -> list[FieldError]:
    raw = node.raw
    longest, shortest = raw.get("maxLength"), raw.get("minLength")
    if longest is not None and len(value) > longest:
        return [FieldError("FieldValueTooLong", path, f"Too long: may not be more than {longest} bytes")]
    if shortest is not None and len(value) < shortest:
        return [invalid(path, value, f"{path} in body should be at least {shortest} chars long")]
    if node.pattern is not None and not node.pattern.search(value):
        return [invalid(path, value, f"{path} in body should match '{raw['pattern']}'")]
    return []


def _number_errors(value: float, node: Node, path: Path) -> list[FieldError]:
    raw = node.raw
    found = []
    given = str(raw.get("format", ""))
    if raw.get("type") == "integer" and not _is_in_range(value, given):
        shown = f"with format {given}" if given else "(default format)"
        found.append(_general(f"Checked value must be of type integer {shown} in {path}"))
    divisor, most, least = raw.get("multipleOf"), raw.get("maximum"), raw.get("minimum")
    if divisor and not _is_multiple(value, divisor):
        found.append(invalid(path, value, f"{path} in body should be a multiple of {_shown(divisor)}"))
    if most is not None and (value >= most if raw.get("exclusiveMaximum") else value > most):
        word = "less than" if raw.get("exclusiveMaximum") else "less than or equal to"
        found.append(invalid(path, value, f"{path} in body should be {word} {_shown(most)}"))
    if least is not None and (value <= least if raw.get("exclusiveMinimum") else value < least):
        word = "greater than" if raw.get("exclusiveMinimum") else "greater than or equal to"
        found.append(invalid(path, value, f"{path} in body should be {word} {_shown(least)}"))
    return found


def _is_in_range(value: float, given: str) -> bool:
    bits = _INTEGER_BITS.get(given, 64)
    return is_whole(value) and -(1 << bits - 1) <= value < (1 << bits - 1)


def _is_multiple(value: float, divisor: float) -> bool:
    if isinstance(value, int) and isinstance(divisor, int):
        return value % divisor == 0
    quotient = value / divisor
    return abs(quotient - round(quotient)) < 1e-9 * max(1.0, abs(quotient))


def _shown(bound: float) -> str:
    return str(int(bound)) if is_whole(bound) else str(bound)


def too_many(path: Path, actual: int, most: int) -> FieldError:
    """More items or fields than allowed."""
    noun = "item" if most == 1 else "items"
    return FieldError("FieldValueTooMany", path, f"Too many: {actual}: must have at most {most} {noun}")


def _list_errors(value: list[Any], node: Node, path: Path, old: Any) -> list[FieldError]:
    found: list[FieldError] = []
    if node.items is not None:
        before = counterparts(old, value, node)
        for index, item in enumerate(value):
            found += errors_of(item, node.items, f"{path}[{index}]", before[index])
    least, most = node.raw.get("minItems"), node.raw.get("maxItems")
    if least is not None and len(value) < least:
        found.append(invalid(path, len(value), f"{path} in body should have at least {least} items"))
    if most is not None and len(value) > most:
        found.append(too_many(path, len(value), most))
    return found


def _enumeration_errors(value: Any, node: Node, path: Path) -> list[FieldError]:
    choices = node.raw.get("enum")
    if not choices or any(same(value, choice) for choice in choices) or (value is None and node.is_nullable):
        return []
    return [unsupported(path, value, [choice if isinstance(choice, str) else go_json(choice) for choice in choices])]


def _field_errors(value: dict[str, Any], node: Node, path: Path, old: Any) -> list[FieldError]:
    least, most = node.raw.get("minProperties"), node.raw.get("maxProperties")
    if least is not None and len(value) < least:
        return [invalid(path or "<nil>", len(value), f"{path} in body should have at least {least} properties")]
    if most is not None and len(value) > most:
        return [too_many(path or "<nil>", len(value), most)]
    found: list[FieldError] = []
    for key, entry in value.items():
        child = node.child(key)
        if child is not None:
            found += errors_of(entry, child, below(path, key), counterpart(old, key))
    return found + [required(below(path, key)) for key in node.required if key not in value]
