"""Lines, taken apart into commands and words."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.shell.lines import Kind, commands_in, last_command, quoted, tokens_of

TEXT = st.text(alphabet=st.sampled_from("ab'\"\\ ;#-=\t"), max_size=12)
ANY_WORD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("pods default", [["pods", "default"]]),
        ("pods default; kill 1 --force", [["pods", "default"], ["kill", "1", "--force"]]),
        ("pods;kill 1", [["pods"], ["kill", "1"]]),
        (";; pods ;;", [["pods"]]),
        ("pods\nnodes\r\n", [["pods"], ["nodes"]]),
        ("", []),
        ("  \n ; \n", []),
        ("# pods; nodes\n  # as well\npods # 1", [["pods", "#", "1"]]),
        ("exec n1 'cat /x; id'", [["exec", "n1", "cat /x; id"]]),
        ("exec n1 ';'", [["exec", "n1", ";"]]),
        ("exec n1 a\\;b", [["exec", "n1", "a;b"]]),
        ("exec n1 'a'\"b c\"d", [["exec", "n1", "ab cd"]]),
        ("pods 'app in (a, b)' ''", [["pods", "app in (a, b)", ""]]),
    ],
)
def test_commands_are_apart_by_semicolons_and_line_ends(text, commands):
    """Quoted ones end no command; empty commands and comments are none."""
    assert [[*words] for words in commands_in(text)] == commands


@pytest.mark.parametrize(("text", "missing"), [("a 'b", "closing '"), ('a "b', 'closing "'), ("a b\\", "character")])
def test_a_quotation_without_end_is_refused(text, missing):
    """The message has the line and what it lacks."""
    with pytest.raises(UsageError, match=missing) as error:
        [*commands_in(f"pods\n{text}")]
    assert error.value.message.startswith(text)


@given(TEXT)
def test_words_are_those_of_a_posix_shell(text):
    """Where no `;` and no comment is in the way, the words are those that Python's shlex finds."""
    text = text.replace(";", "")
    if text.lstrip().startswith("#"):
        return
    try:
        words = shlex.split(text)
    except ValueError:
        with pytest.raises(UsageError):
            [*commands_in(text)]
    else:
        assert [*commands_in(text)] == ([words] if words else [])


@given(st.lists(ANY_WORD, min_size=1))
def test_what_is_quoted_comes_back_as_it_was(words):
    """Completions are typed in as `quoted` has them: they mean the word again, whatever is in it."""
    assert [*commands_in(f"x {' '.join(map(quoted, words))}")] == [["x", *words]]


@pytest.mark.parametrize("word", ["web-7d4b9", "1,3-5", "app=web", "a/b:80", "x0.5", "~/policy.yml", "zone!=west"])
def test_words_that_need_no_quotation_get_none(word):
    """Names, numbers and selectors are completed as a person would type them."""
    assert quoted(word) == word


@given(TEXT)
def test_every_token_is_where_it_says(text):
    """Tokens come in order, and only blanks are between them."""
    position = 0
    for token in tokens_of(text):
        assert not text[position : token.start].strip()
        assert token.start < token.end
        position = token.end
    assert not text[position:].strip()


def test_the_last_command_is_the_one_that_is_being_typed():
    """What is before the last `;` does not matter to its completion."""
    assert [token.value for token in last_command([*tokens_of("pods; kill 1 'we")])] == ["kill", "1", "we"]
    assert last_command([*tokens_of("pods;")]) == []
    assert [token.kind for token in tokens_of("pods; # no comment")] == [
        Kind.WORD, Kind.SEPARATOR, Kind.WORD, Kind.WORD, Kind.WORD,
    ]  # fmt: skip
