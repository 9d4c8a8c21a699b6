"""rich's console for the shell: of a reader that has gone it tells, where rich would end the program at once.

What was done has to be taken back before that.
"""

from rich.console import Console


class ShellConsole(Console):
    """A `Console` that raises `BrokenPipeError`."""

    def on_broken_pipe(self) -> None:
        """Pass on the error that is being handled."""
        raise  # noqa: PLE0704 -- rich calls this where it has caught it
