"""A line to type: what to search for, why to halt, which namespace."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from seatrial.dashboard.dialogs.dialog import Dialog


class Ask(Dialog[str]):
    """Asks for a line; `choices` complete it as it is typed."""

    def __init__(
        self, question: str, *, value: str = "", choices: Sequence[str] = (), is_dangerous: bool = False
    ) -> None:
        super().__init__()
        self._question = question
        self._value = value
        self._choices = choices
        self._is_dangerous = is_dangerous

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box danger" if self._is_dangerous else "box"):
            yield Static(self._question, markup=False)
            yield Input(value=self._value, suggester=SuggestFromList(self._choices) if self._choices else None)
            keys = "Enter do it   Esc don't" if self._is_dangerous else "Enter take it   Esc back"
            yield Static(keys + ("   → complete" if self._choices else ""), classes="keys", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the line."""
        self.dismiss(event.value.strip())
