"""Text of others (names, messages, reasons) as it may be shown: no markup, no control characters.

A scenario or a pod may be called anything; what it is called must not move the cursor or colour the screen.
"""

from rich.text import Text

from seatrial.policy.wording import printable_lines


def plain(text: str, *, style: str = "") -> Text:
    """The text with control and invisible characters written as escapes."""
    return Text(printable_lines(text), style=style)
