"""Before something is broken: what would be hit, as the shell shows it, and the question."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from seatrial.by_hand.confirmation import Confirmation
from seatrial.dashboard.colours import BAD, CHANGING
from seatrial.dashboard.dialogs.dialog import Dialog
from seatrial.dashboard.dialogs.printed import printed
from seatrial.report.plain import plain
from seatrial.report.plan import print_step
from seatrial.runtime.plan import StepPlan


class Confirm(Dialog[bool]):
    """Shows `preview` and asks; `obstacle` says why it can't be done at all, and then nothing is asked.

    `note` is said above the question.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "do it"),
        Binding("n,enter", "answer(False)", "don't"),
    ]

    def __init__(self, confirmation: Confirmation, preview: Text, *, obstacle: str = "", note: str = "") -> None:
        super().__init__()
        self._confirmation = confirmation
        self._preview = preview
        self._obstacle = obstacle
        self._note = note
        self.lines_around = (11 if confirmation.name else 7) + bool(note)

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box danger"):
            with VerticalScroll(classes="scrolled"):
                yield Static(self._preview)
            if self._note:
                yield Static(plain(self._note, style=CHANGING))
            if self._obstacle:
                yield Static(plain(f"{self._obstacle}: nothing is done", style=f"bold {BAD}"))
                yield Static("Esc back", classes="keys", markup=False)
            elif self._confirmation.name:
                name = self._confirmation.name
                yield Static(plain(f"{name} is production. To do it, type its name in full:", style=f"bold {BAD}"))
                yield Input(id="name")
                yield Static("Enter do it   Esc don't", classes="keys", markup=False)
            else:
                yield Static(f"{self._confirmation.title}?", classes="keys", markup=False)
                yield Static("y do it   n, Enter, Esc don't", classes="question", markup=False)

    def on_mount(self) -> None:
        """Let what is typed go to the name; without one, arrows scroll the plan."""
        for name in self.query(Input):
            name.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 -- textual's
        """In production a letter is part of the name; what can't be done is not asked."""
        return action != "answer" or not (self._confirmation.name or self._obstacle)

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001 -- a key's action
        """Take the answer."""
        self.dismiss(answer)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Only the whole name is a yes."""
        if self._confirmation.is_given_by(event.value):
            self.dismiss(True)
        else:
            event.input.clear()
            self.notify("that is not its name: nothing was done", severity="warning", markup=False)


def preview_of(title: str, plan: StepPlan, *, width: int) -> Text:
    """What an order would hit, exactly as the shell shows it, fit for a window so wide."""
    return printed(lambda console: print_step(title, plan, console), width=width)
