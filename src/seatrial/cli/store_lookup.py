"""Which store a command looks into: the options, and opening it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.cli.option_group import F
from seatrial.cli.options import state_dir_option, store_option

if TYPE_CHECKING:
    from seatrial.storage.store import Store


def stored(command: F) -> F:
    """`--store` and `--state-dir`: which store."""
    return store_option(state_dir_option(command))


@contextmanager
def opened_store(store: str | None, state_dir: Path | None) -> "Iterator[Store]":
    """The store that the command line names, to look into it.

    Raises:
        UsageError: it names none, or one that isn't there.
        StateError: it can't be opened.
    """
    from seatrial.state_directory import state_directory
    from seatrial.storage.store import open_store

    found = open_store(store, state=state_directory(state_dir), must_exist=True)
    try:
        yield found
    finally:
        found.close()
