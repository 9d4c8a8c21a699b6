"""A YAML file becomes plain values with places, or a flaw that says where and what."""

import textwrap

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial.policy.document import LARGEST_BYTES, Document, UnreadableDocument, read_document
from seatrial.policy.tree import DEEPEST_NESTING, MOST_VALUES


def read(text: str) -> Document:
    """Read a document that is indented as the test is."""
    return read_document(textwrap.dedent(text).encode())


def flaw_of(source: bytes) -> tuple[int, int, str]:
    """Line, column and message of what makes a file unreadable."""
    with pytest.raises(UnreadableDocument) as caught:
        read_document(source)
    flaw = caught.value.flaw
    return flaw.place.line, flaw.place.column, flaw.message


def place_or_flaw(source: bytes) -> tuple[int, int, str]:
    """Line and column of the outermost value, or of what makes a file unreadable, and the message in that case."""
    try:
        return *read_document(source).place_of(()), ""
    except UnreadableDocument as error:
        return *error.flaw.place, error.flaw.message


def test_values_and_their_places() -> None:
    """Each value and each key has the line and the column where it stands."""
    document = read("""\
        scenarios:
          - name: first
            steps: [wait: {seconds: 1}]
        """)
    assert document.value == {"scenarios": [{"name": "first", "steps": [{"wait": {"seconds": 1}}]}]}
    assert document.place_of(("scenarios", 0, "name")) == (2, 11)
    assert document.place_of(("scenarios", 0, "name"), at_key=True) == (2, 5)
    assert document.place_of(("scenarios", 0, "steps", 0, "wait", "seconds")) == (3, 29)
    assert document.place_of(("scenarios", 0)) == (2, 5)


def test_a_path_that_is_not_there_has_its_parents_place() -> None:
    """What is missing is shown where it should have been."""
    document = read("a: {b: 1}\n")
    assert document.place_of(("a", "c", "d")) == (1, 4)
    assert document.place_of(("a", 3)) == (1, 4)


def test_a_byte_order_mark_is_fine() -> None:
    """Editors on Windows write one; it shifts no column."""
    document = read_document(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.value == {"a": 1, "b": 2}
    assert document.place_of(("a",)) == (1, 4)
    assert document.place_of(("b",)) == (2, 4)


def test_columns_count_characters() -> None:
    """Letters outside of ASCII are one column each."""
    assert read("{äöü: x, b: 1}\n").place_of(("b",)) == (1, 13)


@pytest.mark.parametrize(
    "source", [b"", b"\n\n", b"# only a comment\n", b"---\n", b"---\n...\n", b"~", b"\xef\xbb\xbf"]
)
def test_empty_files(source: bytes) -> None:
    """A file with nothing in it says so, and what a policy needs."""
    assert flaw_of(source) == (1, 1, "the file is empty; a policy has at least the key 'scenarios'")


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        (b"a:\n\t- b", 2, 1, "tab"),
        (b"a:\n  b: 1\n \tc: 2", 3, 2, "tab"),
        (b"a: \xff", 1, 4, "0xff isn't UTF-8"),
        (b"ok: \xc3\xa4\nb: \xe4", 2, 4, "0xe4 isn't UTF-8"),
        ("a: ä".encode("utf-16"), 1, 1, "isn't UTF-8"),
        (b"a: b\nc: \x00", 2, 4, "U+0000"),
        (b"a: \x1b[31mred", 1, 4, "U+001B"),
        ("a: \ufffe".encode(), 1, 4, "U+FFFE"),
        (b"a: 1\n---\nb: 2", 2, 1, "second document"),
        (b"a: b: c", 1, 5, "a ':' has no place here"),
        (b"a: 'open\nb: 1\n", 1, 4, "never closed"),
        (b"a:\n  [1, 2\n", 2, 3, "never closed"),
        (b"a: {b: 1", 1, 4, "never closed"),
        (b"a: @b", 1, 4, "begins with '@' needs quotes"),
        (b'a: "\\q"', 1, 5, "escape"),
        (b"a:\n  b: 1\n c: 2", 3, 2, "indentation"),
        (b"- a\nb: 1", 2, 1, "next item of the list"),
        (b"a: - b", 1, 4, "line of its own"),
        (b"a: ]", 1, 4, "a value is expected here"),
        (b"a: *nobody", 1, 4, "'*nobody' stands for no anchor"),
        (b"a: &a [*a]", 1, 8, "'*a' lies inside"),
        (b"a: !x!y z", 1, 4, "tag"),
    ],
)
def test_text_that_is_no_yaml(source: bytes, line: int, column: int, words: str) -> None:
    """What YAML forbids is said in plain words at its line and column."""
    found_line, found_column, message = flaw_of(source)
    assert words in message
    assert (found_line, found_column) == (line, column)


def test_files_that_are_too_large() -> None:
    """A file above the limit is refused, and the limit is said."""
    assert flaw_of(b"#" * (LARGEST_BYTES + 1))[2] == "the file is larger than 2 MiB, the most that a policy may have"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused(opening: str) -> None:
    """A file that nests without end can't overflow a stack."""
    assert f"more than {DEEPEST_NESTING} maps and lists" in flaw_of(opening.encode() * 100_000)[2]


def test_alias_bombs_are_refused() -> None:
    """A few lines of aliases can't become billions of values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    line, _, message = flaw_of("\n".join(lines).encode())
    assert line == 5
    assert message == f"with its aliases written out, the file has more than {MOST_VALUES:,} values"


def test_a_great_many_values_are_refused() -> None:
    """A file of nothing but list items is refused for their number."""
    assert "100,000 values" in flaw_of(b"- \n" * (MOST_VALUES + 1))[2]


def test_repeated_keys_are_flaws_with_both_places() -> None:
    """The second key is where the problem is, and the message says where the first one stands."""
    document = read("""\
        a: 1
        b: {c: 1, "c": 2}
        a: 3
        """)
    assert [(flaw.place, flaw.path, flaw.message) for flaw in document.flaws] == [
        ((2, 11), ("b",), "the key 'c' stands here a second time, after line 2, column 5"),
        ((3, 1), (), "the key 'a' stands here a second time, after line 1, column 1"),
    ]
    assert document.value == {"a": 1, "b": {"c": 1}}


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("1", "the number 1"),
        ("true", "true"),
        ("~", "nothing (null)"),
        ("1.5", "the number 1.5"),
        ("? [a]\n", "a list"),
    ],
)
def test_keys_are_text(key: str, found: str) -> None:
    """A key that YAML takes for something else is a flaw; the rest of the file is still looked at."""
    document = read_document(f"{key}: x\nb: 1".encode())
    assert [flaw.message for flaw in document.flaws] == [f"a key must be text, found {found}; put it in quotes"]
    assert document.value == {"b": 1}


def test_escaped_nul_characters_are_flaws() -> None:
    """No program that is handed a policy's values can be fooled by a NUL among them."""
    assert [flaw.place for flaw in read('a: "x\\0y"').flaws] == [(1, 4)]


def test_aliases_stand_for_what_was_anchored() -> None:
    """An alias has the value of its anchor, and its place: that is what has to be corrected."""
    document = read("a: &x {b: 1}\nc: *x\n")
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.place_of(("c", "b")) == (1, 11)


def test_merge_keys() -> None:
    """`<<` takes over the keys of other maps where the map has none of its own, the first of them winning."""
    document = read("""\
        one: &one {a: 1, b: 1}
        two: &two {b: 2, c: 2}
        all: {<<: [*one, *two], c: 3}
        """)
    assert document.value["all"] == {"a": 1, "b": 1, "c": 3}
    assert document.place_of(("all", "a")) == (1, 15)


def test_a_merge_key_without_maps_is_a_key() -> None:
    """`<<` with anything but maps has no meaning, and the model will say that it doesn't know the key."""
    assert read("<<: 3").value == {"<<": 3}


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf\xff")
@example(b"%YAML 9.9\n---\na")
@example(b"a: *")
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    """Whatever a file holds, it is read or refused in one line with a place in the file."""
    line, column, message = place_or_flaw(source)
    assert line >= 1
    assert column >= 1
    assert "\n" not in message


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@#?,.~0 \t\n\r\x85\u2028é", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """YAML's own characters in any order give values or a place and a message."""
    line, column, message = place_or_flaw(text.encode())
    assert 1 <= line <= len(text) + 1
    assert 1 <= column <= len(text) + 1
    assert "\n" not in message


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-_é", max_size=5), inner, max_size=4),
        max_leaves=15,
    ).filter(lambda value: value is not None)
)
def test_what_yaml_writers_write_is_read_back(value: object) -> None:
    """What PyYAML writes is read as the same values: for what both versions of YAML write alike, nothing differs."""
    written = yaml.dump({"value": value}, Dumper=_Quoting, allow_unicode=True)
    assert read_document(written.encode()).value == {"value": value}


class _Quoting(yaml.SafeDumper):
    """Writes each text in quotes, so that no version of YAML can take it for anything else."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
