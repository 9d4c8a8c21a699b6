"""What all dialogs have in common: a framed box in the middle, no wider than its window, and Escape."""

from typing import ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """A dialog; None is its answer where somebody turned away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "turn_away", "back")]

    lines_around = 6
    """How many lines stand in the box beside its long text, the frame with them."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        .box { width: auto; min-width: 40; max-width: 96%; height: auto; max-height: 94%; padding: 0 1;
               border: round $accent; background: $surface; }
        .box.reading { width: 100; height: auto; }
        .box.reading Static { width: 100%; }
        .box.danger { border: round $error; }
        .scrolled { width: auto; max-width: 100%; height: auto; }
        .box Static { width: auto; max-width: 100%; }
        .scrolled.whole { width: 100%; }
        .keys { margin-top: 1; color: $text-muted; width: auto; }
        Input { border: tall $accent; margin-top: 1; }
    }
    """

    def on_resize(self, event: Resize) -> None:
        """Let the long text scroll, and not the question under it out of the window."""
        for text in self.query(".scrolled"):
            text.styles.max_height = max(1, event.size.height - self.lines_around)

    def action_turn_away(self) -> None:
        """Nothing is done."""
        self.dismiss(None)
