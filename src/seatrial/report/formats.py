"""The forms that a report can be written in, and which of them a file's name means."""

from contextlib import suppress
from pathlib import Path
from typing import Literal

from seatrial.errors import StateError, UsageError
from seatrial.report.run_report.model import RunReport

Format = Literal["html", "json", "junit", "markdown"]

FORMATS: tuple[Format, ...] = ("html", "json", "junit", "markdown")
_BY_ENDING: dict[str, Format] = {
    ".html": "html", ".htm": "html", ".json": "json", ".xml": "junit", ".md": "markdown", ".markdown": "markdown",
}  # fmt: skip


def as_format(name: str) -> Format:
    """The form of that name.

    Raises:
        UsageError: there is none.
    """
    for each in FORMATS:
        if each == name:
            return each
    raise UsageError(f"there is no form '{name}' of reports", hint=f"there are: {', '.join(FORMATS)}")


def format_of(file: Path) -> Format:
    """The form that a file's name asks for.

    Raises:
        UsageError: none.
    """
    found = _BY_ENDING.get(file.suffix.lower())
    if found is None:
        raise UsageError(
            f"which form is the report {file} to have?", hint=f"its name may end in {', '.join(_BY_ENDING)}"
        )
    return found


def rendered(report: RunReport, form: Format) -> str:
    """The report in a form; what that needs is loaded when it is asked for."""
    match form:
        case "html":
            from seatrial.report.html.page import page  # noqa: PLC0415 -- Jinja is slow to load

            return page(report)
        case "json":
            from seatrial.report.run_report.codec import report_as_json  # noqa: PLC0415 -- one of four is needed

            return report_as_json(report)
        case "junit":
            from seatrial.report.junit import junit  # noqa: PLC0415 -- one of four is needed

            return junit(report)
    from seatrial.report.markdown import markdown  # noqa: PLC0415 -- one of four is needed

    return markdown(report)


def write_report(text: str, file: Path) -> None:
    """Write a report to a file, whole or not at all: one that was there before stays until then.

    Raises:
        StateError: it can't be written.
    """
    unfinished = file.with_name(f".{file.name}.part")
    try:
        if file.exists() and not file.is_file():
            file.write_text(text, encoding="utf-8", errors="backslashreplace")  # a device, a pipe
            return
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
        unfinished.replace(file)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise StateError(f"can't write the report {file}: {error.strerror}") from error
