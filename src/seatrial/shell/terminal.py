"""The terminal of a shell with a prompt: everything that is written goes by the prompt, and long tables by a pager."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from seatrial.shell.output import Output
from seatrial.shell.pager import Pager
from seatrial.shell.prompt import PromptFront
from seatrial.shell.screen import Screen
from seatrial.shell.shell import Shell, ShellSettings


@contextmanager
def prompting_shell(
    settings: ShellSettings, *, history: Path | None, has_colour: bool, has_pager: bool
) -> Iterator[Shell]:
    """While the block runs, standard output and standard error are the screen that the shell's prompt is on."""
    terminal = sys.stdout
    screen = Screen(terminal, asyncio.get_running_loop())
    front = PromptFront(screen, terminal=terminal, history=history, has_colour=has_colour)
    output = Output()
    if has_pager:
        output.pager = Pager(screen, height=lambda: os.get_terminal_size(terminal.fileno()).lines)
    shell = Shell(front, output, settings)
    front.attach(shell)
    with redirect_stdout(screen), redirect_stderr(screen):
        yield shell
