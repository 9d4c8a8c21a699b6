"""Replays recordings of a real Kubernetes cluster against the sandbox and prints a score per topic.

    python -m tests.conformance [--golden DIR] [TOPIC ...]

A topic is `auth`, or `rest/auth` where the name alone is ambiguous; with a single one its differences are printed.
"""

import argparse
import asyncio
import importlib
import importlib.util
import sys
from pathlib import Path

from seatrial.errors import SeatrialError
from tests.conformance.scores import Outcome, Score, Suite

GOLDEN = Path(__file__).parent / "golden"
_PRINTED = 12
_WIDTH = 2000
SUITES = ("replay", "kubectl_flows", "timelines", "client_suite")


def suites() -> list[Suite]:
    """What can be replayed: each module's `SUITE`."""
    modules = [f"tests.conformance.{name}" for name in SUITES]
    return [importlib.import_module(name).SUITE for name in modules if importlib.util.find_spec(name)]


def chosen(golden: Path, names: list[str]) -> list[tuple[Suite, str]]:
    """The topics that were asked for: all of them by default."""
    found = [(suite, topic) for suite in suites() for topic in suite.topics(golden)]
    known = {name for suite, topic in found for name in (topic, f"{suite.name}/{topic}", suite.name)}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no recording named {', '.join(unknown)} in {golden}")
    wanted = set(names)
    return [
        (suite, topic) for suite, topic in found if not wanted or wanted & {topic, f"{suite.name}/{topic}", suite.name}
    ]


def report(name: str, score: Score, *, details: bool) -> None:
    """Print a topic's line, and what was different where that is wanted."""
    if details:
        _print_differences(score)
    meant = f"  ({score.deliberate} deliberately different)" if score.deliberate else ""
    line = f"{name:34} {score.alike:5} of {score.total:5}  {score.percent:6.1f} %{meant}"
    print(line, flush=True)  # noqa: T201 -- a command's output


def _print_differences(score: Score) -> None:
    """Each difference once: what one exchange brings about shows in all that follow it."""
    printed: set[str] = set()
    for outcome in score.outcomes:
        fresh = [problem for problem in outcome.problems if problem not in printed]
        printed.update(fresh)
        if outcome.problems and not outcome.excuse:
            seen = len(outcome.problems) - len(fresh)
            print(f"- {outcome.case}{f' ({seen} as above)' if seen else ''}")  # noqa: T201 -- a command's output
        for problem in [] if outcome.excuse else fresh[:_PRINTED]:
            print(f"    {problem[:_WIDTH]}")  # noqa: T201 -- a command's output
    for note in score.notes:
        print(f"note: {note}")  # noqa: T201 -- a command's output


async def main(arguments: list[str]) -> None:
    """Replay and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__.partition("\n")[0])
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="a folder of recordings")
    parser.add_argument("topics", nargs="*", metavar="TOPIC")
    options = parser.parse_args(arguments)
    topics = chosen(options.golden, options.topics)
    every: list[Outcome] = []
    for suite, topic in topics:
        try:
            score = await suite.replay(options.golden, topic)
        except SeatrialError as error:
            score = Score(0, 1, (Outcome("the sandbox", [str(error)]),))
        report(f"{suite.name}/{topic}", score, details=len(topics) == 1)
        every += score.outcomes
    if len(topics) > 1:
        report("all", Score.of(every), details=False)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
