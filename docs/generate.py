"""Writes the reference pages in docs/reference, and the files in deploy/monitoring, from the code: `make docs`.

The commands come from click, the policy language from its models, the events of the log from their classes, alert rules
and dashboard from the table of metrics. A test compares the committed files with what this writes, so they can't fall
behind.
"""

import sys
from pathlib import Path

from seatrial.reference import pages
from seatrial.telemetry.monitoring.files import monitoring_files

REFERENCE = Path(__file__).parent / "reference"
MONITORING = Path(__file__).parents[1] / "deploy" / "monitoring"


def main() -> int:
    """Write all files, remove those that nothing writes any more, and tell which changed."""
    for directory, written in ((REFERENCE, pages()), (MONITORING, monitoring_files())):
        directory.mkdir(parents=True, exist_ok=True)
        for old in set(directory.iterdir()) - {directory / name for name in written}:
            old.unlink()
        for name, text in written.items():
            page = directory / name
            if not page.exists() or page.read_text() != text:
                page.write_text(text)
                sys.stdout.write(f"wrote {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
