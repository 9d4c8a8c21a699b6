"""Patterns of custom resources, as RE2 reads them."""

import pytest

from seatrial.sandbox.apiserver.custom.patterns import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "abc\n", False),
        (r"^\p{Lu}\d+$", "É12", True),
        ("[[:upper:]]", "xYz", True),
        (r"\bword\b", "a word here", True),
        ("(?i)ABC", "xabcx", True),
        (r"^a\z", "a", True),
    ],
)
def test_a_pattern_is_searched_for(pattern: str, text: str, matches: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Anywhere in the text; `$` is its very end."""
    assert (compile_pattern(pattern).search(text) is not None) is matches


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        ("(", "missing closing ): `(`"),
        ("[a", "missing closing ]: `[a`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
    ],
)
def test_a_wrong_pattern_is_refused(pattern: str, error: str) -> None:
    """In the words of Go's regexp/syntax."""
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)
    assert str(refused.value) == f"error parsing regexp: {error}"


def test_no_pattern_takes_for_ever() -> None:
    """One that would send a backtracking matcher round and round."""
    assert compile_pattern("^(a|a)*$").search("a" * 5000 + "b") is None
