"""The lines that were typed, kept and found again."""

import stat

from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from seatrial.shell.history import MOST_LINES, LineHistory
from seatrial.shell.history_search import history_search


async def lines_of(history):
    return [line async for line in history.load()]


async def test_lines_are_kept_for_the_next_shell(tmp_path):
    """Last first; neither blank ones, nor what begins with a blank, nor the same again; pastes keep their line ends."""
    file = tmp_path / "history"
    history = LineHistory(file)
    for line in ("pods", "pods", " secret", "", "nodes\nzones"):
        history.append_string(line)
    assert await lines_of(LineHistory(file)) == ["nodes\nzones", "pods"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_the_file_does_not_grow_for_ever(tmp_path):
    """One twice as long as what is kept is cut when a shell begins."""
    file = tmp_path / "history"
    file.write_text("".join(f"kill {number}\n" for number in range(2 * MOST_LINES + 1)))
    lines = await lines_of(LineHistory(file))
    assert lines[0] == f"kill {2 * MOST_LINES}"
    assert len(lines) == MOST_LINES == file.read_text().count("\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["history"]


async def test_a_shell_works_without_its_file(tmp_path):
    """Where it can't be written, what is typed is remembered for this shell."""
    history = LineHistory(tmp_path / "gone" / "history")
    assert await lines_of(history) == []
    history.append_string("pods")
    history.append_string("nodes")
    assert await lines_of(history) == ["nodes", "pods"]


def test_lines_are_found_by_letters_in_that_order():
    """The last first among equals, each once, whatever is between the letters."""
    history = LineHistory(None)
    for line in ("kill web --force", "pods shop", "kill web --force", "kill db --force"):
        history.append_string(line)
    found = history_search(history).get_completions(Document("kilforce"), CompleteEvent())
    assert [each.text for each in found] == ["kill db --force", "kill web --force"]
