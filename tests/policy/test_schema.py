"""The JSON Schema for editors says what the models say."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError

from seatrial.policy.schema import make_schema
from seatrial.steps.registry import policy_model


class Part(dict[str, Any]):
    """A part of a schema that is printed in a few words: hypothesis prints the arguments of strategies."""

    def __init__(self, schema: dict[str, Any]) -> None:
        super().__init__({key: _part(value) for key, value in schema.items()})

    def __repr__(self) -> str:
        return f"Part({', '.join(self)})"


def _part(value: Any) -> Any:
    if isinstance(value, dict):
        return Part(value)
    return [_part(each) for each in value] if isinstance(value, list) else value


SCHEMA = Part(make_schema(policy_model()))
VALIDATOR = Draft7Validator(SCHEMA)

# What no JSON Schema can say: rules about the meaning of a text, or about two values.
RULES_BEYOND_A_SCHEMA = re.compile(
    r"names must be unique"
    r"|(more|less) than m..SecondsBetweenRuns"
    r"|no valid regular expression"
    r"|no timezone of the IANA database"
    r"|no valid (label|field) selector|which selects nothing"
    r"|no IP address"
    # What one key means beside another.
    r"|beside '|beside it|needs '\w+': |is for the signal SIGSTOP only|makes no sense with|both failures and seconds"
    r"|is no way to a Service|does not get through the API server"
    r"|no URL with a host"
    r"|the strategy 'failures'|no scenario is called|'direction' leaves them alone"
    r"|can't be (true|given) with|compares by size|must be more than the"
    # What a template becomes, and what no header can hold.
    r"|is no template that works|where 'objective' is null|names '.*', which there is not|becomes no JSON"
    r"|has several lines"
    # Which limit a statistic has, in which window it can be decided, what the scenario measures.
    r"|which needs( one of)?: (below|above)|has both: below, above|does not go with '|goes with '?\w+|to be sure of"
    r"|must be less than the share|neither a step of the scenario|is called '|needs a steadyState|the steady state has"
)

TEXTS = [
    *[
        "",
        "x",
        "abc",
        "x" * 80,
        "x" * 81,
        "default",
        "app=web",
        "app in (",
        "  ",
        "(",
        "a|b",
        "Accept",
        "a b",
        "a\r\nb: c",
    ],
    *[
        "http://example.com",
        "https://[::1]:8443/x",
        "http://am:9093/api/v2",
        "http://",
        "http://h:99999",
        "ftp://x",
        "HTTP://X",
        "/healthz",
    ],
    *[
        "monday",
        "Monday",
        "Europe/Vienna",
        "Middle/Earth",
        "Running",
        "get",
        "random",
        "name",
        "3",
        "true",
        "clusterIP",
    ],
]
NUMBERS = [-1, 0, 1, 1.0, 2, 0.5, 23, 24, 59, 60, 200, 65536, 1e3, -0.0, 1e300, 10**20, True]


def judge(document: Any) -> list[str] | None:
    """What the models say is wrong, or None where they accept it."""
    try:
        policy_model().model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        return [each["msg"] for each in error.errors()]
    return None


ANY_SCALAR = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(TEXTS)
ANYTHING = (
    ANY_SCALAR
    | st.lists(ANY_SCALAR, max_size=2)
    | st.dictionaries(st.sampled_from(["name", "kill", "x"]), ANY_SCALAR, max_size=2)
)


def once(make: Callable[..., st.SearchStrategy[Any]]) -> Callable[..., st.SearchStrategy[Any]]:
    """Make each part of the schema its strategy once: making one takes longer than drawing from it."""
    made: dict[tuple[object, ...], st.SearchStrategy[Any]] = {}

    def strategy(schema: dict[str, Any], *others: object) -> st.SearchStrategy[Any]:
        key = (id(schema), *others)
        if key not in made:
            made[key] = make(schema, *others)
        return made[key]

    return strategy


@once
@st.composite
def documents(draw: st.DrawFn, schema: dict[str, Any], slips: int) -> Any:
    """A document along a schema, with one slip in so many places: a wrong value, a key too few or too many."""
    if slips and not draw(st.integers(0, slips)):
        return draw(ANYTHING)
    if "$ref" in schema:
        return draw(documents(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]], slips))
    if "allOf" in schema:
        return draw(documents(schema["allOf"][0], slips))
    if "anyOf" in schema and "properties" not in schema:
        return draw(documents(draw(st.sampled_from(schema["anyOf"])), slips))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kind = schema["type"] if isinstance(schema["type"], str) else draw(st.sampled_from(schema["type"]))
    if kind == "object":
        return draw(maps(schema, slips))
    if kind == "array":
        return draw(st.lists(documents(schema["items"], slips), min_size=schema.get("minItems", 0), max_size=2))
    return draw(scalars(schema, kind))


@once
def scalars(schema: dict[str, Any], kind: str) -> st.SearchStrategy[Any]:
    """Values of a type; texts are any, since what they mean is beyond a schema, but often fit their pattern.

    Half a surrogate pair is no text: no file can say it, and YAML's escape for it is refused where the file is read.
    """
    fitting = [each for each in TEXTS if re.search(schema.get("pattern", ""), each)]
    lowest, highest = schema.get("minimum", 0), schema.get("maximum", 1000)
    return {
        "string": st.sampled_from(fitting or TEXTS)
        | st.sampled_from(TEXTS)
        | st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=4),
        "integer": st.integers(lowest, highest),
        "number": st.sampled_from([lowest, highest, (lowest + highest) / 2]),
        "boolean": st.booleans(),
        "null": st.none(),
    }[kind]


@once
def keys(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """The keys that a map may have."""
    return st.sampled_from(sorted(schema["properties"]))


@once
def sets_of_keys(schema: dict[str, Any]) -> st.SearchStrategy[set[str]]:
    """Some of them."""
    return st.sets(keys(schema)) if schema["properties"] else st.just(set())


@once
@st.composite
def maps(draw: st.DrawFn, schema: dict[str, Any], slips: int) -> Any:
    """A map along a schema."""
    required = set(schema.get("required", []))
    properties = schema["properties"]
    is_choice = schema.get("maxProperties") == 1
    chosen = {draw(keys(schema))} if is_choice else required | draw(sets_of_keys(schema))
    slip = draw(st.sampled_from(["", "less", "more", "unknown"])) if slips and not draw(st.integers(0, slips)) else ""
    if slip == "less":
        chosen = set(sorted(chosen)[1:])
    if slip == "more" and properties:
        chosen.add(draw(keys(schema)))
    made = {key: draw(documents(properties[key], slips)) for key in sorted(chosen)}
    return {**made, "unknown": 1} if slip == "unknown" else made


def test_it_is_a_schema_of_draft_7() -> None:
    """Draft 7 is what the YAML language server understands."""
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(SCHEMA)


def agree(document: Any) -> None:
    """Fail where the schema and the models don't judge a document alike, apart from rules beyond a schema."""
    refusals = judge(document)
    if not VALIDATOR.is_valid(document):
        assert refusals is not None, [each.message for each in VALIDATOR.iter_errors(document)]
    else:
        assert not [each for each in refusals or [] if not RULES_BEYOND_A_SCHEMA.search(each)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(documents(SCHEMA, 30))
@example({"scenarios": [], "config": {"seed": 1.5}})
@example({"scenarios": [{"name": "abc", "steps": [{"wait": {"seconds": True}}]}]})
def test_schema_and_models_agree(document: Any) -> None:
    """What one accepts the other accepts, but for the rules that are beyond a schema."""
    agree(document)


@pytest.mark.parametrize("step", sorted(SCHEMA["definitions"]["Step"]["properties"]))
def test_schema_and_models_agree_on_each_step(step: str) -> None:
    """The same for every step by itself, since whole documents rarely get far into each."""
    specs = documents(SCHEMA["definitions"]["Step"]["properties"][step], 30)

    @settings(max_examples=60, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(specs)
    def check(spec: Any) -> None:
        agree({"scenarios": [{"name": "test", "steps": [{step: spec}]}]})

    check()


@pytest.mark.parametrize("key", sorted(set(SCHEMA["definitions"]["Scenario"]["properties"]) - {"name", "steps"}))
def test_schema_and_models_agree_on_the_rest_of_a_scenario(key: str) -> None:
    """What stands beside the steps: the steady state, abort conditions, observers."""
    values = documents(SCHEMA["definitions"]["Scenario"]["properties"][key], 30)

    @settings(max_examples=60, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(values)
    def check(value: Any) -> None:
        agree({"scenarios": [{"name": "test", "steps": [], key: value}]})

    check()


@settings(max_examples=150, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(documents(SCHEMA["definitions"]["Config"]["properties"]["notify"], 30))
def test_schema_and_models_agree_on_notifications(value: Any) -> None:
    """Who is told, and how."""
    agree({"scenarios": [], "config": {"notify": value}})


@pytest.mark.parametrize("step", ["podAction", "probeHTTP", "wait"])
def test_the_generator_reaches_valid_policies(step: str) -> None:
    """The test above is no test of refusals alone: for each step there are documents that both accept."""

    def is_valid(spec: Any) -> bool:
        return judge({"scenarios": [{"name": "test", "steps": [{step: spec}]}]}) is None

    specs = documents(SCHEMA["definitions"]["Step"]["properties"][step], 0)
    assert find(specs, is_valid, settings=settings(max_examples=5000, database=None, phases=[Phase.generate]))


@pytest.mark.parametrize(
    ("filter_", "is_valid"),
    [
        ({"randomSample": {"size": 1}}, True),
        ({"randomSample": {"size": 1, "ratio": None}}, True),
        ({"randomSample": {"size": 1, "ratio": 0.5}}, False),
        ({"randomSample": {}}, False),
        ({"randomSample": None}, False),
        ({"dayTime": {"timezone": "UTC"}}, False),
        ({"dayTime": {"startTime": {"hour": 1}}}, True),
        ({"probability": 1, "dayTime": {"onlyDays": ["monday"]}}, False),
        ({}, False),
    ],
)
def test_rules_about_keys_are_in_the_schema(filter_: dict[str, Any], is_valid: bool) -> None:  # noqa: FBT001 -- a column
    """Exactly one of two, at least one of three: editors see it too."""
    step = {"matches": [{"namespace": "x"}], "filters": [filter_], "actions": [{"kill": None}]}
    document = {"scenarios": [{"name": "test", "steps": [{"podAction": step}]}]}
    assert VALIDATOR.is_valid(document) is is_valid
    assert (judge(document) is None) is is_valid


def test_everything_is_described() -> None:
    """Each map and each key has words for the editor to show."""
    undescribed = [name for name, each in SCHEMA["definitions"].items() if not each.get("markdownDescription")]
    for name, each in SCHEMA["definitions"].items():
        for key, part in each["properties"].items():
            refers = "$ref" in part or "allOf" in part
            if not refers and not part.get("markdownDescription"):
                undescribed.append(f"{name}.{key}")
    assert undescribed == []


def test_only_keywords_of_draft_7_are_used() -> None:
    """Nothing of a later draft and nothing of pydantic's own is left."""
    # `writeOnly` is one of its annotations (section 10.3), which the library's copy of the meta-schema lacks.
    known = set(Draft7Validator.META_SCHEMA["properties"]) | {"markdownDescription", "writeOnly"}

    def unknown(schema: Any) -> set[str]:
        found = set(schema) - known
        for key, value in schema.items():
            if key in {"properties", "definitions"}:
                found |= set().union(*map(unknown, value.values()))
            elif key in {"items", "not"}:
                found |= unknown(value)
            elif key in {"allOf", "anyOf", "oneOf"}:
                found |= set().union(*map(unknown, value))
        return found

    assert unknown(SCHEMA) == set()


def test_nothing_stands_beside_a_reference() -> None:
    """In draft 7, what stands beside a `$ref` is ignored."""

    def references(part: Any) -> list[dict[str, Any]]:
        if isinstance(part, dict):
            return ([part] if "$ref" in part else []) + [each for value in part.values() for each in references(value)]
        return [each for item in part for each in references(item)] if isinstance(part, list) else []

    found = references(SCHEMA)
    assert found
    assert all(len(each) == 1 for each in found)


def test_defaults_are_those_of_the_models() -> None:
    """An editor offers the defaults that a run will have."""
    run = SCHEMA["definitions"]["RunStrategy"]["properties"]
    assert run["maxSecondsBetweenRuns"]["default"] == 300
    assert "default" not in run["runs"]
    assert SCHEMA["definitions"]["Kill"]["properties"]["probability"]["default"] == 1
