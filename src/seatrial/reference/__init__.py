"""The reference pages of the documentation, written from the code that they describe.

`commands` has the command line, `language` the policy language, `event_log` the events, `metrics` the metrics,
`shell` the commands of the interactive shell.
`docs/generate.py` puts the pages into `docs/reference`; nothing that runs an experiment imports this.
"""

from seatrial.reference.commands import commands_page
from seatrial.reference.event_log import events_page
from seatrial.reference.language import language_page
from seatrial.reference.metrics import metrics_page
from seatrial.reference.shell import shell_page


def pages() -> dict[str, str]:
    """All reference pages: file name and Markdown."""
    return {
        "command-line.md": commands_page(),
        "policy.md": language_page(),
        "events.md": events_page(),
        "metrics.md": metrics_page(),
        "shell.md": shell_page(),
    }
