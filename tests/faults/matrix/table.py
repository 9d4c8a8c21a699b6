"""The matrix as a page: what every cell came to."""

from collections import defaultdict
from collections.abc import Sequence

from tests.faults.matrix.cases import CASES
from tests.faults.matrix.cells import Result
from tests.faults.matrix.faults import Kind, Moment, Phase

PAGE = "docs/explanation/fault-matrix.md"

_HEAD = """# The fault matrix

Everything that Seatrial does to a cluster, and everything that may go wrong while it does, each with each, before the
change reaches the API server, after it took effect and before the answer, and after the answer. Each cell is a process
of its own on a sandbox of six nodes. When it has ended, or was killed, and `seatrial recover` has run where the
journal had something left, the objects of its namespace (and its node) are compared with those from before: all fields,
labels, UIDs and who manages which field; where commands ran, the processes and files of the pod or machine; the
silences of an Alertmanager; the state of a machine. Nothing may be left, nothing that somebody else did meanwhile may
be lost.

This page is written by `make fault-matrix`, which runs all cells; `make test` runs some of each row.

- *500*: three requests fail, the first of them carried out where it says "during"; *429*: three are refused, with
  `Retry-After`; *hangs*, *is gone*: no answer, or no listener and all connections reset, for 3.5 seconds, while a call
  is given up after 2.5.
- *for 20 s*: the same for 20 seconds, with the deadlines that Seatrial has by itself, for some rows.
- *exception*: the step's own code breaks before it sends the change, while it waits for the answer, or when it has it.
- *disk full*: not a byte more can be written to the journal, before the first undo, after it, or when it is done.
- *two at once*: a second Seatrial with the same policy begins at that moment.
- *deleted*, *changed by somebody else*: the object that is changed, or the one that is cloned, killed in or called; of
  an Alertmanager, that all silences are ended, or another one begins.
- In the row of an Alertmanager it is this that answers so, and not the API server.
"""


def page(results: Sequence[Result]) -> str:
    """The page of a whole run."""
    cases = list(dict.fromkeys(each.case for each in results))
    cells: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for each in results:
        cells[_row(each), each.case].append(each)
    rows = list(dict.fromkeys(_row(each) for each in results))
    bad = sum(bool(each.problems) for each in results)
    lines = [
        _HEAD,
        f"{len(results)} cells, {len(results) - bad} as they should be, {bad} not.",
        "",
        f"| what goes wrong | {' | '.join(cases)} |",
        f"|---|{'---|' * len(cases)}",
        *(f"| {row} | {' | '.join(_cell(cells[row, case]) for case in cases)} |" for row in rows),
        "",
        "A cell has a sign for each moment (before, during, after): ✓ all is as it was, ✗ it is not, · the process had",
        "ended before it was killed. Where there is no sign there is no such cell: clean-up changes nothing, there is",
        "no second change, the row isn't tried with outages of 20 s, or",
        "",
        *_absences(),
    ]
    return "\n".join(lines) + "\n"


def _absences() -> list[str]:
    """Why a fault can't meet what a row does."""
    return [
        f"- {case.name}, {' and '.join(kind for kind, why in case.without.items() if why == reason)}: {reason}."
        for case in CASES
        for reason in dict.fromkeys(case.without.values())
    ]


def _row(result: Result) -> str:
    fault = result.fault
    if fault.phase is Phase.CLEAN_UP:
        return f"{fault.kind}{fault.length}, during clean-up"
    if fault.kind is Kind.SIGKILL and fault.change > 1:
        return f"{fault.kind}, at change {fault.change}"
    return f"{fault.kind}{fault.length}"


def _cell(results: Sequence[Result]) -> str:
    if not results:
        return ""
    signs = {each.fault.moment: "✗" if each.problems else "·" if each.note else "✓" for each in results}
    return "".join(signs.get(moment, "·") for moment in Moment)
