"""Which program a container runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.kubelet.command import expand, resolve_command


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ("/ep", "a")),
        ({"command": ["x"]}, ("x",)),
        ({"args": ["y"]}, ("/ep", "y")),
        ({"command": ["x"], "args": ["y"]}, ("x", "y")),
    ],
)
def test_command_and_args_override_entrypoint_and_cmd(container: dict[str, list[str]], argv: tuple[str, ...]) -> None:
    """The four cases of Kubernetes' documentation."""
    assert resolve_command(container, entrypoint=["/ep"], cmd=["a"], environ={}) == argv


def test_references_in_command_and_args_become_values() -> None:
    """`$(NAME)` is replaced in both, in the image's own words it is not."""
    container = {"command": ["$(PROGRAM)"], "args": ["--to=$(TARGET)"]}
    argv = resolve_command(container, entrypoint=[], cmd=[], environ={"PROGRAM": "ping", "TARGET": "peer"})
    assert argv == ("ping", "--to=peer")
    assert resolve_command({}, entrypoint=["$(A)"], cmd=[], environ={"A": "b"}) == ("$(A)",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)", "1"), ("$$(A)", "$(A)"), ("$(B)", "$(B)"), ("$A ${A}", "$A ${A}"), ("x$(A)y$(A)", "x1y1"), ("$(", "$(")],
)
def test_expansion_follows_the_rules(text: str, expected: str) -> None:
    """Unknown names stay, a doubled dollar escapes."""
    assert expand(text, {"A": "1"}) == expected


@given(st.text(alphabet="ab(){} "))
def test_text_without_a_dollar_stays(text: str) -> None:
    """Nothing but references changes."""
    assert expand(text, {"a": "1"}) == text
