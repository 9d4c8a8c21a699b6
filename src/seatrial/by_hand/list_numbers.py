"""Numbers that stand for what was listed, as people type them."""

import re

# No list is that long; and the interpreter refuses to read numbers of some thousand digits.
_NUMBER = re.compile("[0-9]{1,63}", re.ASCII)


def number_in(word: str) -> int | None:
    """The number that a word is; None where it is something else, such as a number of another script."""
    return int(word) if _NUMBER.fullmatch(word) else None
