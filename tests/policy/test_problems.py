"""What is wrong with a policy is shown at its place, in words that help."""

import json
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy, Problem, render_problem
from seatrial.policy.wording import describe, format_path, nearest, printable, quote
from seatrial.steps.registry import policy_model, step_types

STEPS = ", ".join(step_types())
"""All keys that a step may have, as messages list them."""


def load_invalid(text: str) -> InvalidPolicy:
    """Load a policy, indented as the test is, that has something wrong."""
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(textwrap.dedent(text).encode(), name="policy.yml", model=policy_model())
    return caught.value


def messages(step: str) -> list[str]:
    """The messages about one step, with their paths below it."""
    found = load_invalid(f"scenarios: [{{name: test, steps: [{step}]}}]").problems
    return [f"{each.path.removeprefix('scenarios[0].steps[0]')}: {each.message}" for each in found]


def render(text: str) -> str:
    """All that is shown of what is wrong."""
    return "\n" + load_invalid(text).details + "\n"


def test_an_unknown_key() -> None:
    """The caret stands under the key; the nearest spelling and all others are named."""
    shown = render("""\
        scenarios:
        - name: Kill half of the pods
          steps:
          - podActoin:
              actions: []
        """)
    assert shown == textwrap.dedent(f"""
        policy.yml:4:5: scenarios[0].steps[0]: unknown key 'podActoin'; did you mean 'podAction'? Allowed: {STEPS}
            4 |   - podActoin:
              |     ^
        """)


def test_a_wrong_value() -> None:
    """The caret stands under the value; the message says what was found and what is needed."""
    shown = render("""\
        scenarios:
        - name: Wait
          steps:
          - wait: {seconds: five}
        """)
    assert shown == textwrap.dedent("""
        policy.yml:4:21: scenarios[0].steps[0].wait.seconds: is the text 'five'; needs a number
            4 |   - wait: {seconds: five}
              |                     ^
        """)


def test_a_missing_key() -> None:
    """The caret stands where the map that should have the key begins."""
    shown = render("""\
        config: {}
        scenarios:
        - steps: []
        """)
    assert shown == textwrap.dedent("""
        policy.yml:3:3: scenarios[0]: the key 'name' is missing
            3 | - steps: []
              |   ^
        """)


def test_a_syntax_error() -> None:
    """What is no YAML has no path, but a place."""
    shown = render("""\
        scenarios:
        - name: 'open
        """)
    assert shown == textwrap.dedent("""
        policy.yml:2:9: the quote or bracket that opens here is never closed
            2 | - name: 'open
              |         ^
        """)


def test_a_missing_top_level_key() -> None:
    """At the top of the file there is no path to show."""
    assert render("config: {}\n").startswith("\npolicy.yml:1:1: the key 'scenarios' is missing\n")


def test_all_problems_of_a_file_come_together() -> None:
    """Broken YAML maps, unknown keys, wrong types and broken rules are one list, in the order of the file."""
    error = load_invalid("""\
        config:
          runStrategy: {minSecondsBetweenRuns: 9, maxSecondsBetweenRuns: 1, runs: 0}
        colour: red
        scenarios:
        - name: one
          name: two
          steps: [{wait: {}}]
        - {name: one, steps: [{kill: {}}]}
        """)
    assert [(each.line, each.column, each.path) for each in error.problems] == [
        (2, 40, "config.runStrategy.minSecondsBetweenRuns"),
        (2, 75, "config.runStrategy.runs"),
        (3, 1, ""),
        (6, 3, "scenarios[0]"),
        (7, 18, "scenarios[0].steps[0].wait"),
        (8, 10, "scenarios[1].name"),
        (8, 24, "scenarios[1].steps[0]"),
    ]
    assert error.message == "policy.yml is invalid: 7 problems"
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("wait: {seconds: '5'}", ".wait.seconds: is the text '5'; needs a number; remove the quotes"),
        ("wait: {seconds: true}", ".wait.seconds: is true; needs a number"),
        ("wait: {seconds: null}", ".wait.seconds: is nothing (null); needs a number"),
        ("wait: {seconds: []}", ".wait.seconds: is an empty list; needs a number"),
        ("wait: {seconds: -1}", ".wait.seconds: is the number -1; needs a number of at least 0"),
        ("wait: {seconds: .inf}", ".wait.seconds: is the number inf; needs a finite number"),
        ("wait: 5", ".wait: is the number 5; needs a map with the keys: seconds"),
        ("wait: [seconds: 5]", ".wait: is a list; needs a map with the keys: seconds; remove the '-' before it"),
        ("{}", f": is empty; needs exactly one of: {STEPS}"),
        ("null", f": is empty; needs exactly one of: {STEPS}"),
        (
            "wait",
            (f": is the text 'wait'; needs a map with exactly one of the keys: {STEPS}; write 'wait:' with a colon"),
        ),
        (
            "{wait: {seconds: 1}, probeHTTP: {target: {url: 'http://x'}}}",
            ": is a second key beside 'wait'; exactly one is allowed: give it a list item of its own",
        ),
        ("podAction: {matches: {}, actions: [kill: ]}", ".podAction.matches: is an empty map; needs a list"),
        (
            "podAction: {matches: {namespace: x}, actions: [kill: ]}",
            ".podAction.matches: is a map; needs a list; put '- ' before it",
        ),
        (
            "podAction: {matches: [namespace: 12], actions: [kill: ]}",
            ".podAction.matches[0].namespace: is the number 12; needs text; put it in quotes",
        ),
        (
            "podAction: {matches: [namespace: x], actions: [kill: {force: yes}]}",
            (
                ".podAction.actions[0].kill.force: is the text 'yes'; needs true or false; "
                "in YAML 1.2 this is text: write true"
            ),
        ),
        (
            "podAction: {matches: [namespace: x], actions: [kill: {force: off}]}",
            (
                ".podAction.actions[0].kill.force: is the text 'off'; needs true or false; "
                "in YAML 1.2 this is text: write false"
            ),
        ),
        (
            "podAction: {matches: [namespace: x], actions: [kill: {force: 'true'}]}",
            ".podAction.actions[0].kill.force: is the text 'true'; needs true or false; remove the quotes",
        ),
        (
            "podAction: {matches: [namespace: x], filters: [property: {name: nmae, value: x}], actions: [kill: ]}",
            ".podAction.filters[0].property.name: is the text 'nmae'; did you mean 'name'? Allowed: name, state",
        ),
        (
            "podAction: {matches: [namespace: x], filters: [property: {name: zone, value: x}], actions: [kill: ]}",
            ".podAction.filters[0].property.name: is the text 'zone'; allowed: name, state",
        ),
        (
            "podAction: {matches: [namespace: x], filters: [property: {name: name, value: '('}], actions: [kill: ]}",
            (
                ".podAction.filters[0].property.value: is no valid regular expression: "
                "missing ), unterminated subpattern at position 0"
            ),
        ),
        (
            "probeHTTP: {target: {url: example.com}}",
            ".probeHTTP.target.url: is the text 'example.com'; needs a URL that begins with http:// or https://",
        ),
        (
            "probeHTTP: {target: {url: 'http://x'}, code: 200.5}",
            ".probeHTTP.code: is the number 200.5; needs a whole number",
        ),
        (
            "probeHTTP: {target: {url: 'http://x'}, code: 600}",
            ".probeHTTP.code: is the number 600; needs a number of at most 599",
        ),
    ],
)
def test_messages(step: str, message: str) -> None:
    """Each says what was found, what is needed, and what probably was meant, in no library's jargon."""
    assert messages(step) == [message]


def test_a_key_that_should_be_indented_more() -> None:
    """Keys beside the empty key that they belong to: the usual slip in a list of maps."""
    error = load_invalid("""\
        scenarios:
        - name: one
          steps:
          - wait:
            seconds: 5
        """)
    assert [(each.line, each.message) for each in error.problems] == [
        (4, "the key 'seconds' is missing"),
        (5, f"unknown key 'seconds'; allowed: {STEPS}; if it belongs to 'wait', indent it more"),
    ]


def test_lengths_are_said() -> None:
    """Text that is too short or too long is counted."""
    error = load_invalid(f"scenarios: [{{name: ab, steps: []}}, {{name: {'x' * 81}, steps: []}}]")
    assert [each.message for each in error.problems] == [
        "is 2 characters long; needs at least 3",
        "is 81 characters long; needs at most 80",
    ]


def test_the_caret_finds_its_column() -> None:
    """Tabs are one column, wide letters two, combining ones none, so that the caret stands where the eye expects it."""
    problem = Problem(line=1, column=6, path="", message="here")
    shown = render_problem(problem, name="x", lines=["a\t日e\u0301b"])
    assert shown.splitlines()[1:] == ["    1 | a 日e\u0301b", "      |      ^"]


def test_long_lines_are_cut_around_the_place() -> None:
    """A line of thousands of characters shows what is around the caret."""
    line = "x" * 3000 + "HERE" + "y" * 3000
    shown = render_problem(Problem(line=1, column=3001, path="", message="m"), name="f", lines=[line]).splitlines()
    assert len(shown[1]) < 140
    assert shown[1][shown[2].index("^") :].startswith("HERE")


HOSTILE = rb"""
"\e[2Jkey": 1
scenarios: ["\e]0;x\a", {name: "ab\ec", steps: []}, {name: "ab\ec", steps: []}]
"""


def test_nothing_reaches_the_terminal_but_text() -> None:
    """Escape sequences in keys, values, lines and file names are shown, not sent."""
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(HOSTILE, name="\x1b[31m.yml", model=policy_model())
    shown = caught.value.details + caught.value.message
    assert shown.replace("\n", "").isprintable()
    assert "\\u001b[2Jkey" in shown


def test_problems_for_programs() -> None:
    """As JSON, each problem has the same parts, one by one."""
    problems = load_invalid("scenarios: [{name: one, steps: [{wiat: {}}]}]").to_json()
    assert json.loads(json.dumps(problems)) == [
        {
            "line": 1,
            "column": 34,
            "path": "scenarios[0].steps[0]",
            "message": f"unknown key 'wiat'; did you mean 'wait'? Allowed: {STEPS}",
            "found": "wiat",
            "allowed": STEPS.split(", "),
            "suggestion": "wait",
        }
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing (null)"),
        (True, "true"),
        (1, "the number 1"),
        (1.5, "the number 1.5"),
        ("x", "the text 'x'"),
        ("", "an empty text"),
        ({}, "an empty map"),
        ({"a": 1}, "a map"),
        ([], "an empty list"),
        ([1], "a list"),
        ("x" * 100, f"the text '{'x' * 57}...'"),
    ],
)
def test_values_in_words(value: object, words: str) -> None:
    """What was found is named by its kind, and shown where it is short."""
    assert describe(value) == words


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("scenarios", 0, "steps", 2, "podAction", "filters", 0), "scenarios[0].steps[2].podAction.filters[0]"),
        (("a b", "c"), '["a b"].c'),
        (("x", 'say "hi"'), 'x["say \\"hi\\""]'),
    ],
)
def test_paths(path: tuple[str | int, ...], text: str) -> None:
    """A path reads as in most programming languages."""
    assert format_path(path) == text


@pytest.mark.parametrize(
    ("word", "meant"),
    [("podaction", "podAction"), ("pod_action", "podAction"), ("WAIT", "wait"), ("zzz", ""), (3, "")],
)
def test_the_nearest_spelling(word: object, meant: str) -> None:
    """Case and slips of a finger are forgiven; what resembles nothing has no suggestion."""
    assert nearest(word, ["podAction", "probeHTTP", "wait"]) == meant


@given(st.text(max_size=100))
def test_quoted_text_is_one_printable_line(text: str) -> None:
    """Whatever a file holds, what is quoted from it is harmless."""
    assert printable(text).isprintable()
    assert quote(text).isprintable()
