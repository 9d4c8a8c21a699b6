import click
import pytest

from seatrial.cli.main import run, seatrial
from seatrial.cli.option_file import defaults_from


@pytest.fixture
def validate(write, capsys, monkeypatch):
    """Runs `seatrial --config FILE validate`, the file having this text; answers exit code, output and errors."""
    monkeypatch.delenv("CONFIG", raising=False)
    monkeypatch.delenv("POLICY_FILE", raising=False)

    def with_options(text, *arguments):
        file = write(text, "options.yml")
        return run(["--config", str(file), "validate", *map(str, arguments)]), *capsys.readouterr()

    return with_options


def test_a_file_has_options_of_the_command(validate, write):
    """A key is called like the flag without its dashes."""
    policy = write("scenarios: []")
    assert validate("output: json", policy)[1].startswith("{")
    assert validate("", policy)[1].endswith("valid (0 scenarios, 0 steps)\n")


def test_the_command_line_wins(validate, write):
    """The file says JSON, the flag says text."""
    assert "valid (0" in validate("output: json", write("scenarios: []"), "--output", "text")[1]


def test_a_variable_names_the_file_too(write, monkeypatch, capsys):
    """CONFIG, as in PowerfulSeal."""
    monkeypatch.setenv("CONFIG", str(write("output: json", "options.yml")))
    assert run(["validate", str(write("scenarios: []"))]) == 0
    assert capsys.readouterr().out.startswith("{")


def test_one_file_may_serve_several_commands(validate, write):
    """A key that only another command knows is left out."""
    assert validate("prometheus-port: 9001\nkubernetes-namespace: shop", write("scenarios: []"))[0] == 0


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("prometheus-prot: 1", "no command has an option 'prometheus-prot'", "did you mean 'prometheus-port'?"),
        ("xyzzy: 1", "no command has an option 'xyzzy'", "without the dashes"),
        ("[a]", "is no map of options", "'prometheus-port: 9001'"),
        ("1: 2", "is no map of options", "'prometheus-port: 9001'"),
        ("{a: [}", "is no YAML", ""),
        ("[" * 2000, "nested too deeply", ""),
    ],
    ids=range(6),
)
def test_what_is_no_such_file_is_told(validate, write, text, problem, hint):
    """Exit code 2, with the file's name and a hint."""
    code, output, errors = validate(text, write("scenarios: []"))
    assert (code, output) == (2, "")
    assert "options.yml" in errors
    assert problem in errors
    assert hint in errors


def test_a_flag_that_may_be_given_again_takes_one_value_or_a_list(write):
    """`protect: vault` is one namespace, not five letters."""
    context = click.Context(seatrial)
    context.invoked_subcommand = "autonomous"
    for text, meant in (("protect: vault", ["vault"]), ("protect: [a, b]", ["a", "b"])):
        assert defaults_from(str(write(text, "options.yml")), context) == {"protect": meant}


@pytest.mark.parametrize(
    "text", ["output: {a: b}", "output: [json]", "output:", "policy-file: [[a]]", "output: 2030-01-01"]
)
def test_a_value_that_no_flag_takes_is_told(validate, write, text):
    """A map, a list where one value is meant, nothing, a date."""
    code, _, errors = validate(text, write("scenarios: []"))
    assert code == 2
    assert "is none that the flag takes" in errors


def test_a_file_that_is_not_there_is_told(capsys):
    """By its name."""
    assert run(["-c", "/nowhere/options.yml", "validate", "p.yml"]) == 2
    assert "can't read /nowhere/options.yml: No such file" in capsys.readouterr().err


def test_a_value_of_the_wrong_kind_is_told(validate, write):
    """As on the command line."""
    code, _, errors = validate("output: xml", write("scenarios: []"))
    assert code == 2
    assert "'xml' is not one of 'text', 'json'" in errors
