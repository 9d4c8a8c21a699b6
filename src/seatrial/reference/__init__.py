"""The reference pages of the documentation, written from the code that they describe.

`commands` has the command line, `language` the policy language, `event_log` the events, `metrics` the metrics,
`measurements` what is measured, `shell` the commands of the interactive shell; the schema of reports comes from their
model.
`docs/generate.py` puts the pages into `docs/reference`; nothing that runs an experiment imports this.
"""

from seatrial.reference.commands import commands_page
from seatrial.reference.event_log import events_page
from seatrial.reference.language import language_page
from seatrial.reference.measurements import measurements_page
from seatrial.reference.metrics import metrics_page
from seatrial.reference.shell import shell_page
from seatrial.report.run_report.codec import schema_text


def pages() -> dict[str, str]:
    """All reference pages, and the schema of reports: file name and text."""
    return {
        "command-line.md": commands_page(),
        "policy.md": language_page(),
        "events.md": events_page(),
        "measurements.md": measurements_page(),
        "metrics.md": metrics_page(),
        "shell.md": shell_page(),
        "report-schema.json": schema_text(),
    }
