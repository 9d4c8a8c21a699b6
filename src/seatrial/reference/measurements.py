"""The page about measurements, from the table of those that are built in."""

from seatrial.slo.measurements import MEANINGS, Meaning

_INTRODUCTION = """# Measurements

Written from the code by `make docs`. These times are measured wherever they come up, in seconds of this machine's
monotonic clock: [how](../explanation/recovery-times.md). [Objectives](../how-to/slo.md) name them; a `waitFor` names
its own (`measurement`). What had not come when nobody looked any more is kept as a lower bound. Beside them, `passed`
says whether the scenario passed, and `availability` whether a sample of its steady state did.

| measurement | of | begins when | ends when |
|---|---|---|---|
"""


def measurements_page() -> str:
    """The whole page."""
    return _INTRODUCTION + "".join(_row(name, each) for name, each in MEANINGS.items())


def _row(name: str, meaning: Meaning) -> str:
    return f"| `{name}` | {meaning.of} | {meaning.begins} | {meaning.ends} |\n"
