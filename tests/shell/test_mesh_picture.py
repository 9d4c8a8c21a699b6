"""Goldpinger's graph as text: marks, figures, shades, and words where nothing else fits."""

import pytest

from seatrial.probes.goldpinger_graph import Call, Graph
from seatrial.shell.mesh_picture import mesh_lines, pods_of


def graph(*names, failed=(), delays=None, missing=()):
    """A graph in which every pod calls every other and itself, within a millisecond unless `delays` say otherwise."""
    calls = [
        Call(caller=a, peer=b, ok=False, error="connection refused")
        if (a, b) in failed
        else Call(caller=a, peer=b, ok=True, ms=(delays or {}).get((a, b), 1.0))
        for a in names
        for b in names
        if (a, b) not in missing
    ]
    return Graph(instances=tuple(names), calls=tuple(calls), silent={})


def picture(of, *, width=80, in_words=False, places=None):
    return [line.plain for line in mesh_lines(of, places=places or {}, width=width, in_words=in_words)]


def test_a_graph_is_a_grid_of_marks_and_a_grid_of_delays():
    """Rows call, columns are called; each has its number, and rows their names and places."""
    seen = graph("a", "b", "c", failed=[("a", "b")], delays={("c", "a"): 250.0}, missing=[("b", "c")])
    assert picture(seen, places={"a": "node1 west"}) == [
        "3 instances, 8 calls, 1 failed, the slowest within 250 ms",
        "",
        "a row calls, a column is called:  ✓ answered   ✗ failed   - not called",
        "    1 2 3",
        "  1 ✓ ✗ ✓  a  node1 west",
        "  2 ✓ ✓ -  b",
        "  3 ✓ ✓ ✓  c",
        "",
        "delays in ms:  ✗ failed   - not called",
        "      1   2   3",
        "  1   1   ✗   1  a  node1 west",
        "  2   1   1   -  b",
        "  3 250   1   1  c",
        "failed: a calls b: connection refused",
    ]


def test_a_pod_that_is_only_called_is_no_instance():
    """One that was just killed is still called, and fails; nobody asks it."""
    calls = (Call(caller="a", peer="a", ok=True, ms=1.0), Call(caller="a", peer="b", ok=False, error="gone"))
    seen = Graph(instances=("a",), calls=calls, silent={})
    assert pods_of(seen) == ["a", "b"]
    assert "  2 - -  b  (only called)" in picture(seen)


def test_an_instance_that_could_not_be_asked_is_named():
    """What it sees is unknown: its row is empty, and the summary says why."""
    seen = Graph(instances=("a", "b"), calls=(Call(caller="a", peer="a", ok=True, ms=1.0),), silent={"b": "timeout"})
    assert (
        picture(seen)[0] == "2 instances, 1 call, all answered, the slowest within 1 ms; b could not be asked: timeout"
    )


def test_without_an_instance_there_is_nothing_to_draw():
    """And nothing is said to have answered."""
    assert picture(Graph(instances=(), calls=(), silent={})) == ["0 instances, 0 calls"]


@pytest.mark.parametrize(
    ("milliseconds", "shade"), [(1, "·"), (9.9, "·"), (10, "░"), (50, "▒"), (200, "▓"), (999, "▓"), (1000, "█")]
)
def test_where_figures_do_not_fit_shades_tell_the_delays(milliseconds, shade):
    """Each shade differs from the others without its colour, and the legend has them all."""
    names = [f"pod-{number:02}" for number in range(16)]
    delays = {(a, b): 12345.0 for a in names for b in names} | {(names[0], names[0]): milliseconds}
    lines = picture(graph(*names, delays=delays))
    assert lines[-17].split() == [str(number + 1) for number in range(16)]
    assert lines[-16].split() == ["1", shade, *["█"] * 15, "pod-00"]
    assert lines[-18].startswith("delays in ms:  · under 10   ░ under 50")


def test_no_line_of_a_grid_is_wider_than_the_window():
    """Long names are cut to what is left of it."""
    for many in (2, 10, 20):
        names = [f"goldpinger-7544b8785c-{number:05}" for number in range(many)]
        lines = picture(graph(*names), places=dict.fromkeys(names, "node-1"))
        assert sum("goldp" in line for line in lines) == 2 * many
        assert max(map(len, lines)) <= 80


def test_many_pods_are_told_by_their_worst_calls():
    """A hundred pods fit into no window: the calls that failed, then the slowest, are named."""
    names = [f"pod-{number:03}" for number in range(100)]
    broken = [(name, "pod-099") for name in names[:12]]
    lines = picture(graph(*names, failed=broken, delays={("pod-003", "pod-005"): 450.0}), places={"pod-003": "node3"})
    assert lines[0] == "100 instances, 10000 calls, 12 failed, the slowest within 450 ms"
    assert lines[1] == "failed: pod-000 calls pod-099: connection refused"
    assert lines[11] == "and 2 more that failed"
    assert lines[12] == "slowest: pod-003 (node3) calls pod-005: 450 ms"
    assert len(lines) == 22


def test_in_words_nothing_is_drawn():
    """Who listens instead of looking hears which calls failed and which took longest."""
    lines = picture(graph("a", "b", failed=[("a", "b")]), in_words=True)
    assert lines == [
        "2 instances, 4 calls, 1 failed, the slowest within 1 ms",
        "failed: a calls b: connection refused",
        "slowest: a calls a: 1 ms",
        "slowest: b calls a: 1 ms",
        "slowest: b calls b: 1 ms",
    ]
    assert all(line.isascii() for line in lines)


def test_what_a_pod_says_of_itself_moves_no_cursor():
    """Names and errors come from others."""
    call = Call(caller="a", peer="a", ok=False, error="\x1b[2J")
    assert picture(Graph(instances=("a",), calls=(call,), silent={}))[-1] == r"failed: a calls a: \u001b[2J"
