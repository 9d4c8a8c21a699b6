"""Before something is broken: what would be hit, as the shell shows it, and the question."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Input, Static

from seatrial.by_hand.confirmation import Confirmation
from seatrial.dashboard.colours import BAD, CHANGING
from seatrial.dashboard.dialogs.dialog import Dialog
from seatrial.dashboard.dialogs.printed import printed
from seatrial.report.plain import plain
from seatrial.report.plan import print_step
from seatrial.runtime.plan import StepPlan

# Longer than keyboards wait before a key that is held repeats.
_DEAF_SECONDS = 1.0


class Confirm(Dialog[bool]):
    """Shows `preview` and asks; `obstacle` says why it can't be done at all, and then nothing is asked.

    `note` is said above the question. One that `is_asked_again` is deaf until `y` has been let go for a moment: who
    still holds it has not read what is asked.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "do it"),
        Binding("n,enter", "answer(False)", "don't"),
    ]

    def __init__(
        self,
        confirmation: Confirmation,
        preview: Text,
        *,
        obstacle: str = "",
        note: str = "",
        is_asked_again: bool = False,
    ) -> None:
        super().__init__()
        self._confirmation = confirmation
        self._preview = preview
        self._obstacle = obstacle
        self._note = note
        self._is_asked_again = is_asked_again
        self._deafness: Timer | None = None
        self.lines_around = (11 if confirmation.name else 7) + bool(note)

    @property
    def is_deaf(self) -> bool:
        """Whether `y` is no answer yet."""
        return self._deafness is not None

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
                yield Static(plain(f"{self._confirmation.title}?", style="bold"), classes="keys")
                yield Static("y do it   n, Enter, Esc don't", classes="question", markup=False)

    def on_mount(self) -> None:
        """Let what is typed go to the name; without one, arrows scroll the plan."""
        for name in self.query(Input):
            name.focus()
        if self._is_asked_again:
            self._deafness = self.set_timer(_DEAF_SECONDS, self._listen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 -- textual's
        """In production a letter is part of the name; what can't be done is not asked."""
        return action != "answer" or not (self._confirmation.name or self._obstacle)

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001 -- a key's action
        """Take the answer."""
        if answer and self._deafness is not None:
            self._deafness.reset()
        else:
            self.dismiss(answer)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Only the whole name is a yes."""
        if self._confirmation.is_given_by(event.value):
            self.dismiss(True)
        else:
            event.input.clear()
            self.notify("that is not its name: nothing was done", severity="warning", markup=False)

    def _listen(self) -> None:
        self._deafness = None


def preview_of(title: str, plan: StepPlan, *, width: int) -> Text:
    """What an order would hit, exactly as the shell shows it, fit for a window so wide."""
    return printed(lambda console: print_step(title, plan, console), width=width)
