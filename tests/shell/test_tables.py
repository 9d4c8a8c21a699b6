"""Tables: what stands in which column, and how they fit into a window."""

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from seatrial.errors import UsageError
from seatrial.runtime.events import ObjectApplied, Record, Where
from seatrial.shell.ages import age_seconds, age_text, utc_text
from seatrial.shell.output import Output
from seatrial.shell.states import BAD, CHANGING, DONE, WELL, node_style, ready_style, state_style
from seatrial.shell.table_layout import cut_in_the_middle, laid_out
from seatrial.shell.tables import Column, Table, joined, sorted_by

NAME = Column(heading="NAME", key="name")
COUNT = Column(heading="COUNT", key="count", align="right", drop=1)
NODE = Column(heading="NODE", key="node", drop=2)
ZONE = Column(heading="ZONE", key="zone", drop=3, optional=True)
COLUMNS = (NAME, COUNT, NODE, ZONE)
WRAPPING = (Column(heading="NAME", key="name", wraps=True), COUNT, NODE, ZONE)
ROWS = ({"name": "web", "count": 12, "node": "node-1"}, {"name": "database", "count": 3, "node": None})


def texts(lines):
    return ["".join(text for text, _style in line) for line in lines]


def shown(*columns, rows=ROWS, width=None):
    return texts(laid_out(Table(columns=columns, rows=rows), width=width))


def test_columns_are_aligned_and_numbers_stand_on_the_right():
    """Every cell begins under its heading; figures end under theirs; no line ends with blanks."""
    assert shown(NAME, COUNT, NODE) == [
        "NAME      COUNT  NODE",
        "web          12  node-1",
        "database      3",
    ]


def test_an_optional_column_is_left_out_where_no_row_has_anything_in_it():
    """A cluster without zones needs no column for them."""
    assert "ZONE" not in shown(*COLUMNS)[0]
    assert "ZONE" in shown(*COLUMNS, rows=[{"name": "web", "zone": "west"}])[0]


@pytest.mark.parametrize(
    ("width", "heading"),
    [
        (80, "NAME      COUNT  NODE    ZONE"),
        (28, "NAME      COUNT  NODE"),
        (22, "NAME      COUNT"),
        (8, "NAME"),
    ],
)
def test_the_least_important_columns_go_first(width, heading):
    """A narrow window shows what matters most."""
    rows = [{**each, "zone": "west"} for each in ROWS]
    assert shown(*COLUMNS, rows=rows, width=width)[0] == heading


def test_long_names_are_cut_in_the_middle_only_when_no_column_is_left_to_drop():
    """The ends of a pod's name say whose it is and which; its middle says neither."""
    rows = [{"name": "goldpinger-7544b8785c-jgfh6", "count": 1, "node": "node-1"}]
    assert shown(*COLUMNS, rows=rows, width=20)[1] == "goldpinger…85c-jgfh6"
    assert shown(*COLUMNS, rows=rows, width=40)[1] == "goldpinger-7544b8785c-jgfh6      1"


@pytest.mark.parametrize(
    "message", ["Back-off restarting failed container web", "再起動に失敗したコンテナを待っています"]
)
def test_what_a_column_that_wraps_says_is_never_cut(message):
    """It goes on below, in its own column; every other cell stands on the first line of its row."""
    said = Column(heading="MESSAGE", key="message", wraps=True)
    rows = [{"count": 3, "message": message, "node": "node-1"}, {"count": 4, "message": "ok", "node": "node-2"}]
    times = Column(heading="TIMES", key="count")
    lines = shown(times, said, Column(heading="NODE", key="node"), rows=rows, width=30)
    assert all(cell_len(line) <= 30 for line in lines)
    assert "".join(lines[1].split()[1:-1] + [word for line in lines[2:-1] for word in line.split()]) == "".join(
        message.split()
    )
    assert (lines[1].split()[0], lines[1].split()[-1], lines[-1].split()) == ("3", "node-1", ["4", "ok", "node-2"])
    assert all(line.startswith(" " * 7) for line in lines[2:-1])


def test_without_a_window_nothing_is_left_out():
    """What a file or a program gets has every column and every name in full."""
    rows = [{"name": "n" * 300, "count": 1, "node": "m" * 300}]
    assert shown(NAME, COUNT, NODE, rows=rows)[1] == f"{'n' * 300}      1  {'m' * 300}"


def test_what_would_move_the_cursor_is_written_as_an_escape():
    """Whatever a thing is called, its name is only text."""
    assert shown(NAME, rows=[{"name": "a\x1b[2Jb\n"}])[1] == r"a\u001b[2Jb\n"


@given(
    st.lists(st.dictionaries(st.sampled_from(["name", "count", "node", "zone"]), st.text(max_size=40)), max_size=5),
    st.integers(min_value=8, max_value=120),
)
def test_no_line_is_wider_than_the_window(rows, width):
    """Whatever is in the cells, wide characters too."""
    lines = texts(laid_out(Table(columns=COLUMNS, rows=rows), width=width))
    assert len(lines) == len(rows) + 1
    lines += texts(laid_out(Table(columns=WRAPPING, rows=rows), width=width))
    assert all(cell_len(line) <= width for line in lines)


@given(st.text(), st.integers(min_value=0, max_value=40))
def test_a_text_that_was_cut_is_no_wider_than_asked(text, width):
    """What fits stays as it is."""
    cut = cut_in_the_middle(text, width)
    assert cell_len(cut) <= width
    assert cut == text or cell_len(text) > width


def test_rows_are_sorted_by_a_column_as_numbers_or_as_words():
    """A column is named by its heading or its key, whatever the case; what has no value comes last either way."""
    rows = [{"count": 3, "node": "b"}, {"count": 12, "node": None}, {"count": 1, "node": "a"}]
    assert [row["count"] for row in sorted_by("COUNT", rows, COLUMNS)] == [1, 3, 12]
    assert [row["count"] for row in sorted_by("-count", rows, COLUMNS)] == [12, 3, 1]
    assert [row["node"] for row in sorted_by("node", rows, COLUMNS)] == ["a", "b", None]
    assert [row["node"] for row in sorted_by("-node", rows, COLUMNS)] == ["b", "a", None]


def test_an_unknown_column_is_answered_with_those_there_are():
    """Nobody has to look them up."""
    with pytest.raises(UsageError, match="no column 'size'") as refused:
        sorted_by("size", ROWS, COLUMNS)
    assert refused.value.hint.startswith("one of name, count, node, zone")


def test_several_values_share_a_cell():
    """As kubectl writes roles."""
    assert (joined(["a", "b"]), joined(None)) == ("a,b", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (200, "3m20s"), (599, "9m59s"), (600, "10m"), (10799, "179m"),
        (10800, "3h"), (10860, "3h1m"), (28799, "7h59m"), (28800, "8h"), (172799, "47h"), (172800, "2d"),
        (176400, "2d1h"), (691199, "7d23h"), (691200, "8d"), (63071999, "729d"), (63072000, "2y"), (63158400, "2y1d"),
        (252288000, "8y"), (None, ""),
    ],
)  # fmt: skip
def test_ages_are_written_as_kubectl_writes_them(seconds, text):
    """With a second unit only where it still says something."""
    assert age_text(seconds) == text


def test_an_age_is_never_negative():
    """What was made a moment later than it is by this clock is new."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age_seconds(now + timedelta(seconds=30), now=now) == 0
    assert age_seconds(now - timedelta(seconds=30), now=now) == 30
    assert age_seconds(None, now=now) is None
    assert utc_text(now) == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("state", "style"),
    [
        ("Running", WELL), ("Ready", WELL), ("Ready,SchedulingDisabled", CHANGING), ("Completed", DONE),
        ("gone", DONE), ("gone, replaced", DONE), ("Pending", CHANGING), ("Init:0/2", CHANGING),
        ("Init:CrashLoopBackOff", BAD), ("CrashLoopBackOff", BAD), ("OOMKilled", BAD), ("", ""), (None, ""),
    ],
)  # fmt: skip
def test_states_have_the_colours_of_traffic_lights(state, style):
    """Well, on its way, or in need of somebody; what nobody knows is in need of somebody."""
    assert state_style(state) == style


def test_a_node_that_is_not_ready_is_no_passing_state():
    """Of a pod that is, of a node it is not; pods that are not all ready are on their way."""
    assert (state_style("NotReady"), node_style("NotReady"), node_style("Ready")) == (CHANGING, BAD, WELL)
    assert (ready_style("1/2"), ready_style("2/2"), ready_style(None)) == (CHANGING, "", "")


def test_what_a_terminal_can_not_show_is_replaced(monkeypatch):
    """A terminal of another encoding makes a mark unreadable, and a command no error."""
    shown = BytesIO()
    monkeypatch.setattr("sys.stdout", TextIOWrapper(shown, encoding="ascii"))
    output = Output()
    output.table(Table(columns=(NAME,), rows=[{"name": "a✓b"}]))
    output.console.file.flush()
    assert shown.getvalue() == b"NAME\na?b\n"


def test_what_is_doubtful_is_said_to_programs_beside_the_data():
    """On standard error, so that the JSON stays JSON."""
    shown, errors = StringIO(), StringIO()
    output = Output(out=shown, errors=errors)
    output.table(Table(columns=(NAME,), rows=[{"name": "web"}], note="as of 9 s ago"), "json")
    assert json.loads(shown.getvalue()) == [{"name": "web"}]
    assert errors.getvalue() == "as of 9 s ago\n"


def test_errors_and_remarks_are_only_text():
    """What an API server says may have come from anybody, and moves no cursor."""
    errors = StringIO()
    output = Output(has_colour=False, errors=errors)
    output.error("pod 'a\x1b[2J'", "try\x9b1m")
    output.note("\x1b]0;title\x07")
    assert errors.getvalue().splitlines() == [
        r"error: pod 'a\u001b[2J'", r"hint: try\u009b1m", r"\u001b]0;title\u0007",
    ]  # fmt: skip


def test_data_longer_than_the_window_goes_through_the_pager_like_tables():
    """Also a single long object."""
    pages = []
    output = Output(out=StringIO())
    output.pager = SimpleNamespace(take=pages.append)
    output.json({"a": 1})
    output.table(Table(columns=(NAME,), rows=[{"name": "web"}]))
    assert [page.split() for page in pages] == [["{", '"a":', "1", "}"], ["NAME", "web"]]


def test_a_reader_that_has_gone_is_no_failure_of_what_is_done():
    """Whoever pipes a script into `head` is shown no traceback of what is told meanwhile; what writes next hears it."""

    class Closed(StringIO):
        def write(self, _text):
            raise BrokenPipeError

    output = Output(out=Closed())
    applied = ObjectApplied(kind="Service", name="web", namespace="shop", created=True)
    output(Record(1, datetime.now(UTC), 0.0, Where(), applied))
    with pytest.raises(BrokenPipeError):
        output.line("more")
