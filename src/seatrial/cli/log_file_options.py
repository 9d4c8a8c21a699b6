"""Options for a log file beside what is shown, and when it is begun anew."""

import logging
from pathlib import Path
from typing import Literal

import click
import msgspec

from seatrial.cli.options import FILE


class LogFileChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which file, in which form, begun anew when, and how many older ones are kept."""

    log_file: Path
    log_file_format: Literal["text", "json"]
    log_rotate: str
    log_keep: int

    def open(self) -> logging.Handler:
        """The handler that writes it.

        Raises:
            UsageError: it can't be written, or never begun anew as is said.
        """
        from seatrial.telemetry.log_file import open_log_file, parse_rotation

        rotation = parse_rotation(self.log_rotate, keep=self.log_keep)
        return open_log_file(self.log_file, as_json=self.log_file_format == "json", rotation=rotation)


LOG_FILE_OPTIONS = (
    click.option("--log-file", type=FILE, metavar="FILE", help="Write a line for all that happens to this file, too."),
    click.option(
        "--log-file-format", type=click.Choice(["text", "json"]), default="json", show_default=True,
        help="The form of its lines.",
    ),
    click.option(
        "--log-rotate", metavar="WHEN", default="10MB", show_default=True,
        help="When it is begun anew: at a size, hourly, daily, or never.",
    ),
    click.option(
        "--log-keep", type=click.IntRange(min=1), default=5, show_default=True, metavar="N",
        help="How many older ones are kept.",
    ),
)  # fmt: skip


def log_file_choice(
    *, log_file: Path | None, log_file_format: Literal["text", "json"], log_rotate: str, log_keep: int
) -> LogFileChoice | None:
    """What these options say."""
    if log_file is None:
        return None
    return LogFileChoice(log_file=log_file, log_file_format=log_file_format, log_rotate=log_rotate, log_keep=log_keep)
