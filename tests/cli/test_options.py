import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from seatrial.cli.options import (
    cluster_options,
    guardrail_options,
    output_option,
    parse_seed,
    policy_option,
    seed_option,
)
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.randomness import Randomness


@pytest.mark.parametrize(
    ("given", "seed"),
    [
        (None, None), ("7", 7), ("-7", -7), ("007", 7), ("", ""), ("seven", "seven"), ("1.5", "1.5"), (" 7", " 7"),
        ("\u0667", "\u0667"), ("1_000", "1_000"), ("9" * 18, int("9" * 18)), ("9" * 19, "9" * 19),
    ],
)  # fmt: skip
def test_a_seed_is_a_number_where_it_is_one(given, seed):
    """Digits are the number that a policy would have; all else is a text, and nothing given is nothing."""
    assert parse_seed(given) == seed
    assert type(parse_seed(given)) is type(seed)


def test_a_seed_of_five_thousand_digits_is_a_seed():
    """Longer than Python likes to convert: it is taken as a text."""
    assert parse_seed("9" * 5000) == "9" * 5000


@given(st.text())
def test_every_text_is_a_seed(text):
    """Whatever is given starts random numbers, the same ones each time."""
    one, two = (Randomness(parse_seed(text)).stream("x").random() for _ in range(2))
    assert one == two


@click.command
@policy_option
@cluster_options
@seed_option
@output_option("nothing")
def shows(**options):
    click.echo(repr(options))


def invoke(*arguments, **environ):
    return CliRunner().invoke(shows, arguments, env={"POLICY_FILE": None, **environ})


def test_a_policy_may_be_named_by_a_variable():
    """POLICY_FILE stands in for --policy-file, which wins; without both it is an error of usage."""
    assert "from-variable.yml" in invoke(POLICY_FILE="from-variable.yml").output
    assert "from-flag.yml" in invoke("--policy-file", "from-flag.yml", POLICY_FILE="from-variable.yml").output
    assert invoke().exit_code == 2


def test_a_directory_is_no_file(tmp_path):
    """Where a file is meant, a directory is an error of usage."""
    done = invoke("--policy-file", str(tmp_path))
    assert done.exit_code == 2
    assert "is a directory" in done.output


@pytest.mark.parametrize("flag", ["--output", "-o"])
def test_an_unknown_format_is_said_with_the_known_ones(flag):
    """Text and JSON are all there is."""
    done = invoke("--policy-file", "p.yml", flag, "xml")
    assert done.exit_code == 2
    assert "'text', 'json'" in done.output


@click.command
@guardrail_options
@click.pass_obj
def keeps(kept, guardrails):
    kept.append(guardrails)


def guardrails_of(*arguments):
    kept = []
    assert CliRunner().invoke(keeps, arguments, obj=kept).exit_code == 0
    return kept[0]


def test_without_flags_nothing_is_limited():
    """The limits of a policy hold alone then."""
    assert guardrails_of() == Guardrails()


def test_each_limit_has_a_flag():
    """--protect may be given again."""
    given = [
        "--max-pods",
        "3",
        "--max-nodes",
        "0",
        "--min-left",
        "2",
        "--respect-pdb",
        "--protect",
        "a",
        "--protect",
        "b",
        "--max-share-of-zone",
        "0.5",
        "--max-control-plane",
        "0",
        "--no-keep-etcd-quorum",
    ]
    assert guardrails_of(*given) == Guardrails(
        most_pods=3,
        most_nodes=0,
        most_of_zone=0.5,
        most_of_control_plane=0,
        etcd_quorum=False,
        least_left=2,
        respect_budgets=True,
        protected=frozenset({"a", "b"}),
    )
    assert guardrails_of("--keep-etcd-quorum").etcd_quorum is True


@pytest.mark.parametrize(
    "given", [["--max-share-of-zone", "50"], ["--max-share-of-zone", "-0.1"], ["--max-share-of-zone", "x"]]
)
def test_a_share_is_a_number_from_0_to_1(given):
    """50 would be 5,000 %."""
    done = CliRunner().invoke(keeps, given, obj=[])
    assert done.exit_code == 2
    assert given[0] in done.output


@pytest.mark.parametrize(
    "given", [["--max-pods", "-1"], ["--max-nodes", "x"], ["--min-left", "-1"], ["--max-control-plane", "x"]]
)
def test_a_limit_is_a_whole_number(given):
    """Nothing below zero, nothing else."""
    done = CliRunner().invoke(keeps, given, obj=[])
    assert done.exit_code == 2
    assert given[0] in done.output
