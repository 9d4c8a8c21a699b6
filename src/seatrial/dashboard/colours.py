"""The colours of the dashboard: the sea by night. None of them says anything that a mark or a word doesn't say, too."""

from textual.theme import Theme

WELL = "#5fd38d"
CHANGING = "#e8c267"
WAITING = "#5cc8e0"
BAD = "#ff6b6b"
GOING = "#c792ea"
QUIET = "#7d8b99"

THEME = Theme(
    name="sea",
    primary="#2a6f97",
    secondary="#61a5c2",
    accent=WAITING,
    foreground="#d7e1ea",
    background="#0d151c",
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
        "scrollbar-background": "#0d151c",
        "scrollbar-corner-color": "#0d151c",
        "scrollbar-background-hover": "#0d151c",
        "scrollbar-background-active": "#0d151c",
    },
)
