"""What the shell prints, as a text for a dialog: one way to show a plan or an account, in two places."""

from collections.abc import Callable
from io import StringIO

from rich.console import Console
from rich.text import Text

_SHARE, _FRAME = 0.96, 6  # of the window that a box may take, and what its frame takes of that
_NARROWEST, _WIDEST = 30, 110


def printed(write: Callable[[Console], None], *, width: int) -> Text:
    """What is written to a console, wrapped so that it fits into a dialog of a window so wide."""
    room = min(int(width * _SHARE) - _FRAME, _WIDEST)
    console = Console(
        file=StringIO(),
        width=max(_NARROWEST, room),
        force_terminal=True,
        color_system="standard",
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        write(console)
    return Text.from_ansi(capture.get().rstrip("\n"))
