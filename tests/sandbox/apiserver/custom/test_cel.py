"""The expression language of validation rules."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom import rules
from seatrial.sandbox.apiserver.custom.cel.evaluation import BudgetError, compile_tree, run
from seatrial.sandbox.apiserver.custom.cel.syntax import SyntaxProblem, parse
from seatrial.sandbox.apiserver.custom.cel.values import CelError
from seatrial.sandbox.apiserver.custom.node import ABSENT, read_node
from seatrial.sandbox.apiserver.custom.rule_syntax import rule_errors


def compute(text: str, **variables: Any) -> Any:
    """The value of an expression."""
    return run(compile_tree(parse(text)), variables)


@pytest.mark.parametrize(
    "text",
    [
        "1 + 2 * 3 == 7",
        "-7 / 2 == -3 && -7 % 3 == -1",
        "1 == 1.0 && 2u > 1",
        "'a' + 'b' == 'ab' && b'x' != b'y'",
        r"r'\d' == '\\d' && '\x41\u0042' == 'AB'",
        "'''it's''' == \"it's\"",
        "true ? 'y' == 'y' : 1 / 0 == 0",
        "false && 1 / 0 == 0 ? false : true",
        "1 / 0 == 0 || true",
        "[1, 2, 3].all(x, x > 0) && ![1, 2].exists(x, x > 2)",
        "[1, 2, 3].exists_one(x, x == 2)",
        "[1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
        "[1, 2, 3].filter(x, x % 2 == 1) == [1, 3]",
        "{'a': 1, 'b': 2}.all(k, k in ['a', 'b'])",
        "['a', 'b'].all(i, v, i < 2 && v < 'c')",
        "has({'a': {'b': 1}}.a.b) && !has({'a': 1}.b)",
        "size('héllo') == 5 && 'abc'.size() == 3 && size([1]) == 1",
        "'abc'.matches('^a.c$') && 'x1'.matches('[[:digit:]]')",
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && ['a', 'b'].join('-') == 'a-b'",
        "'Hello'.lowerAscii().startsWith('he') && 'hello'.indexOf('l') == 2 && 'hello'.substring(1, 3) == 'el'",
        "'%s is %d and %.1f'.format(['x', 3, 1.25]) == 'x is 3 and 1.2'",
        "[3, 1, 2].sort() == [1, 2, 3] && [1, 2].isSorted() && [1, 2, 3].sum() == 6 && [1, 5].max() == 5",
        "[1, 1, 2].distinct() == [1, 2] && [[1], [2]].flatten() == [1, 2] && [1, 2].indexOf(2) == 1",
        "duration('1h30m') > duration('89m') && duration('90s').getMinutes() == 1",
        "timestamp('2024-02-29T12:00:00Z').getDayOfYear() == 59",
        "timestamp('2024-01-01T00:00:00Z') + duration('24h') == timestamp('2024-01-02T00:00:00Z')",
        "quantity('1.5Gi').isGreaterThan(quantity('1500Mi')) && isQuantity('2k') && !isQuantity('two')",
        "quantity('1').add(quantity('500m')).compareTo(quantity('1500m')) == 0",
        "cidr('10.0.0.0/8').containsIP(ip('10.2.3.4')) && !isIP('10.1') && ip('::1').isLoopback()",
        "url('https://example.com:80/a?x=1').getHostname() == 'example.com' && isURL('/path')",
        "semver('1.9.0').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))",
        "{'a': {'b': 2}}.?a.?c.orValue(7) == 7 && optional.of(3).hasValue() && [1][?5].orValue(0) == 0",
        "cel.bind(x, [1, 2], x.exists(y, y == 2))",
        "sets.contains([1, 2, 3], [2]) && sets.intersects([1], [1, 2]) && math.greatest(1, 3) == 3",
        "type(1) == int && type('') == string && int('42') == 42 && string(3.0) == '3'",
        "base64.encode(b'hi') == 'aGk=' && string(base64.decode('aGk=')) == 'hi'",
    ],
)
def test_expressions_that_hold(text: str) -> None:
    """Operators, macros and functions give what the language's documentation says."""
    assert compute(text) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("{'a': 1}.b", "no such key: b"),
        ("[1][3]", "index out of bounds: 3"),
        ("1 + '1'", "no such overload"),
        ("'a' < 1", "no such overload"),
        ("1u - 2u", "unsigned integer overflow"),
        ("duration('soon')", "invalid duration"),
        ("optional.none().value()", "dereference"),
        ("1 && true", "no such overload"),
        ("quantity('1e999999999').isInteger()", "quantities must match"),
    ],
)
def test_expressions_that_fail(text: str, message: str) -> None:
    """What can't be computed is an error, not a value."""
    with pytest.raises(CelError, match=re.escape(message)):
        compute(text)


@pytest.mark.parametrize("text", ["1 +", "a.", "[1, 2", "self.x ==", "'open", "1 ? 2", "(" * 400 + "1" + ")" * 400])
def test_text_that_is_no_expression(text: str) -> None:
    """What can't be read is told with its place; depth has a limit."""
    with pytest.raises(SyntaxProblem):
        parse(text)


def test_an_expression_may_not_run_for_ever() -> None:
    """Nested loops over long lists end with the budget."""
    numbers = list(range(1000))
    with pytest.raises(BudgetError):
        compute("n.all(a, n.all(b, n.all(c, a + b + c >= 0)))", n=numbers)


@given(st.integers(-(2**40), 2**40), st.integers(-(2**20), 2**20))
def test_division_is_exact_for_whole_numbers(one: int, other: int) -> None:
    """Quotient and rest make up the dividend; the rest has its sign."""
    if other == 0:
        return
    quotient, rest = compute("a / b", a=one, b=other), compute("a % b", a=one, b=other)
    assert quotient * other + rest == one
    assert rest == 0 or (rest < 0) == (one < 0)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the parser fail in another way than by saying so."""
    with contextlib.suppress(SyntaxProblem):
        parse(text)


SCHEMA: Object = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer"},
        "since": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "port": {"x-kubernetes-int-or-string": True},
        "a-b.c": {"type": "string"},
        "namespace": {"type": "string"},
    },
}


def with_rule(text: str, **more: Any) -> Object:
    """The schema with a rule."""
    return {**SCHEMA, "x-kubernetes-validations": [{"rule": text, **more}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self.nosuch > 1", "ERROR: <input>:1:5: undefined field 'nosuch'\n | self.nosuch > 1\n | ....^"),
        ("slef.size > 1", "undeclared reference to 'slef' (in container '')"),
        ("self.size > 'x'", "found no matching overload for '_>_' applied to '(int, string)'"),
        ("self.size + 1", "cel expression must evaluate to a bool"),
        ("self.name.nosuch()", "undeclared reference to 'nosuch'"),
        ("self.name == 1", "found no matching overload for '_==_'"),
        ("self.size.all(x, x > 1)", "cannot be range of a comprehension"),
        ("self.size >", "Syntax error"),
        ("_nosuch()", "undeclared reference to '_nosuch'"),
        ("optional.of(1).optMap()", "variable name must be a simple identifier"),
        ("optional.of(1).optMap(1, 2)", "variable name must be a simple identifier"),
    ],
)
def test_rules_are_checked_against_the_schema(text: str, message: str) -> None:
    """What a rule gets wrong about names and types is refused with the definition."""
    found = rule_errors(read_node(with_rule(text)), "schema")
    assert [error.field for error in found] == ["schema.x-kubernetes-validations[0].rule"]
    assert message.replace("\n", "\\n") in found[0].text or message in found[0].text


@pytest.mark.parametrize(
    "text",
    [
        "self.size >= oldSelf.size",
        "self.tags.all(t, t.startsWith('x'))",
        "self.labels.exists(k, self.labels[k] == 'x')",
        "self.port == 1 || self.port == 'http'",
        "self.since < timestamp('2030-01-01T00:00:00Z')",
        "has(self.a__dash__b__dot__c) && self.__namespace__ != ''",
    ],
)
def test_rules_that_fit_the_schema_are_accepted(text: str) -> None:
    """Types are followed through fields, lists, maps and escaped names."""
    assert rule_errors(read_node(with_rule(text)), "schema") == []


def failures(schema: Object, value: Any, old: Any = ABSENT) -> list[str]:
    """What the rules find."""
    return [f"{error.field}: {error.text}" for error in rules.errors_of(value, read_node(schema), [], old)]


def test_a_failed_rule_says_its_message() -> None:
    """The message, the computed one, or the rule itself; at the field it names."""
    assert failures(with_rule("self.size < 3", message="too big"), {"size": 3}) == ["<nil>: Invalid value: too big"]
    computed = with_rule("self.size < 3", messageExpression="'size ' + string(self.size)", fieldPath=".size")
    assert failures(computed, {"size": 3}) == ["size: Invalid value: size 3"]
    assert failures(with_rule("self.size < 3"), {"size": 3}) == ["<nil>: Invalid value: failed rule: self.size < 3"]
    forbidden = with_rule("self.size < 3", reason="FieldValueForbidden", message="no")
    assert failures(forbidden, {"size": 3}) == ["<nil>: Forbidden: no"]


def test_a_rule_about_the_past_needs_one() -> None:
    """`oldSelf` is compared on updates only, unless it may be missing."""
    schema = with_rule("self.size >= oldSelf.size", message="never less")
    assert failures(schema, {"size": 1}) == []
    assert failures(schema, {"size": 1}, {"size": 2}) == ["<nil>: Invalid value: never less"]
    optional = with_rule("self.size > oldSelf.size.orValue(5)", message="grow", optionalOldSelf=True)
    assert failures(optional, {"size": 1}) == ["<nil>: Invalid value: grow"]


def test_rules_stand_at_every_level() -> None:
    """In fields, values of maps, items, and parts of allOf; scalars are shown, keys stand in brackets."""
    short = {"x-kubernetes-validations": [{"rule": "size(self) < 3", "message": "too long"}]}
    schema = {
        "type": "object",
        "properties": {
            "labels": {"type": "object", "additionalProperties": {"type": "string", **short}},
            "tags": {"type": "array", "items": {"type": "string", **short}, "allOf": [short]},
        },
    }
    assert rule_errors(read_node(schema), "schema") == []
    assert failures(schema, {"labels": {"a": "long", "b": "ok"}, "tags": ["x", "long", "y"]}) == [
        'labels[a]: Invalid value: "long": too long',
        "tags: Invalid value: too long",
        'tags[1]: Invalid value: "long": too long',
    ]


def test_the_past_of_an_item_is_known_only_by_its_key() -> None:
    """`oldSelf` can't be used below a list whose items can't be recognised."""
    item = {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    found = rule_errors(read_node({"type": "array", "items": item}), "schema")
    assert found[0].text.endswith("oldSelf cannot be used on the uncorrelatable portion of the schema within schema")


def test_an_error_in_a_rule_is_a_failure() -> None:
    """A rule that can't be computed refuses the object and says why."""
    found = failures(with_rule("self.labels['x'] == 'y'", message="m"), {"labels": {}})
    assert found == ["<nil>: Invalid value: no such key: x evaluating rule: m"]


def test_texts_with_a_format_are_values_of_their_own() -> None:
    """A `date-time` is a timestamp to a rule."""
    schema = with_rule("self.since.getFullYear() == 2024")
    assert failures(schema, {"since": "2024-05-05T00:00:00Z"}) == []


@pytest.mark.parametrize("value", ["'ab'", "[1]"])
def test_nothing_grows_without_bound(value: str) -> None:
    """A text or a list that is doubled again and again is cut off."""
    text = value
    for number in range(40):
        text = f"cel.bind(x{number}, {text}, x{number} + x{number})"
    with pytest.raises(CelError, match="cost limit exceeded"):
        compute(text)


def test_loops_in_loops_are_cut_off() -> None:
    """They use up the steps that a rule may take."""
    with pytest.raises(BudgetError):
        compute("l.all(x, l.all(y, l.all(z, x + y + z >= 0)))", l=list(range(300)))
