"""Something to read: the details of a pod or a node, the keys."""

from typing import ClassVar

from rich.console import RenderableType
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from seatrial.dashboard.dialogs.dialog import Dialog


class Reading(Dialog[None]):
    """Shows a text that scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter,question_mark", "turn_away", "back")]

    def __init__(self, title: str, content: RenderableType) -> None:
        super().__init__()
        self._title = title
        self._content = content

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box reading") as box:
            box.border_title = self._title.replace("[", "\\[")
            with VerticalScroll(classes="scrolled whole"):
                yield Static(self._content)
            yield Static("Esc back   ↑ ↓ scroll", classes="keys", markup=False)
