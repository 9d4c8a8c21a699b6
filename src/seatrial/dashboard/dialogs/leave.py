"""Before the dashboard ends while something stands: take it back, leave it as it is, or stay."""

from collections.abc import Sequence
from enum import Enum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from seatrial.dashboard.dialogs.dialog import Dialog
from seatrial.policy.wording import counted
from seatrial.report.plain import plain


class Leaving(Enum):
    """How to leave."""

    UNDO = "undo"
    KEEP = "keep"


class Leave(Dialog[Leaving]):
    """Shows what stands, last first; of a cluster that goes with the session nothing can be kept."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q", "leave('UNDO')", "quit and undo"),
        Binding("k", "leave('KEEP')", "quit and keep"),
    ]

    def __init__(self, standing: Sequence[str], *, can_keep: bool) -> None:
        super().__init__()
        self._standing = standing
        self._can_keep = can_keep
        self.lines_around = 8

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box"):
            yield Static(plain(f"{counted(len(self._standing), 'thing')} that you did stands:", style="bold"))
            with VerticalScroll(classes="scrolled"):
                yield Static(plain("\n".join(f"  ↶ {each}" for each in self._standing)))
            keys = ["Enter, q  take it back, and quit", "Esc       stay"]
            if self._can_keep:
                keys.insert(1, "k         leave it as it is, and quit")
            yield Static("\n".join(keys), classes="keys", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keep only what stays."""
        return (action, parameters) != ("leave", ("KEEP",)) or self._can_keep

    def action_leave(self, how: str) -> None:
        """Take the answer."""
        self.dismiss(Leaving[how])
