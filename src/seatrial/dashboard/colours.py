"""The colours of the dashboard: the sea by night. None of them says anything that a mark or a word doesn't say, too."""

from rich.terminal_theme import TerminalTheme
from textual.theme import Theme

WELL = "#5fd38d"
CHANGING = "#e8c267"
WAITING = "#5cc8e0"
BAD = "#ff6b6b"
GOING = "#c792ea"
QUIET = "#7d8b99"
DEEP = "#0d151c"

THEME = Theme(
    name="sea",
    primary="#2a6f97",
    secondary="#61a5c2",
    accent=WAITING,
    foreground="#d7e1ea",
    background=DEEP,
    surface="#14202b",
    panel="#1a2a38",
    success=WELL,
    warning=CHANGING,
    error=BAD,
    dark=True,
    variables={
        "footer-background": "#14202b",
        "footer-key-foreground": WAITING,
        "border-blurred": "#24445c",
        "scrollbar": "#2a4a63",
        "scrollbar-background": DEEP,
        "scrollbar-corner-color": DEEP,
        "scrollbar-background-hover": DEEP,
        "scrollbar-background-active": DEEP,
    },
)

_BACKGROUND, _FOREGROUND = (13, 21, 28), (215, 225, 234)

PRINTED = TerminalTheme(
    _BACKGROUND,
    _FOREGROUND,
    [
        _BACKGROUND, (255, 107, 107), (95, 211, 141), (232, 194, 103),
        (97, 165, 194), (199, 146, 234), (92, 200, 224), _FOREGROUND,
    ],
)  # fmt: skip
"""What the colours of a terminal's palette are here, in what is printed as the shell prints it."""
