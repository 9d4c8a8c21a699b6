"""Writes the reference pages in docs/reference from the code: `make docs`.

The commands come from click, the policy language from its models, the events of the log from their classes. A test
compares the committed pages with what this writes, so they can't fall behind.
"""

import sys
from pathlib import Path

from seatrial.reference import pages

REFERENCE = Path(__file__).parent / "reference"


def main() -> int:
    """Write all pages, remove those that nothing writes any more, and tell which changed."""
    written = pages()
    for old in set(REFERENCE.glob("*.md")) - {REFERENCE / name for name in written}:
        old.unlink()
    for name, text in written.items():
        page = REFERENCE / name
        if not page.exists() or page.read_text() != text:
            page.write_text(text)
            sys.stdout.write(f"wrote {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
