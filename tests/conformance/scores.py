"""What a replay comes to: how many recorded answers were met, and what was different in the others.

Every kind of recording (`rest/`, `kubectl/`, `timelines/` of a recordings folder) is replayed by a module of its own,
which offers a `SUITE`; `python -m tests.conformance` runs them all and prints their scores.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Outcome:
    """How one exchange, command or event went: no `problems` means alike; `excuse` says why a difference is meant."""

    case: str
    problems: list[str] = field(default_factory=list)
    excuse: str = ""


@dataclass(frozen=True)
class Score:
    """How many of a topic's recorded answers were met. `notes`: what the reader should know beside, one line each."""

    alike: int
    total: int
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, outcomes: list[Outcome], notes: list[str] | None = None) -> "Score":
        """Count the outcomes without problems."""
        alike = sum(not outcome.problems for outcome in outcomes)
        return cls(alike, len(outcomes), tuple(outcomes), tuple(notes or ()))

    @property
    def deliberate(self) -> int:
        """How many of the different ones are meant to be."""
        return sum(bool(outcome.excuse and outcome.problems) for outcome in self.outcomes)

    @property
    def percent(self) -> float:
        """The share of those that are meant to be alike."""
        expected = self.total - self.deliberate
        return 100 * self.alike / expected if expected else 100.0


@dataclass(frozen=True)
class Suite:
    """One kind of recordings.

    Args:
        name: the folder that holds them.
        suffix: of its files; what stands before it is the topic.
        replay: replays a topic of a recordings folder against a sandbox of its own.
    """

    name: str
    suffix: str
    replay: Callable[[Path, str], Awaitable[Score]]

    def topics(self, golden: Path) -> list[str]:
        """The topics recorded in a folder, sorted."""
        return sorted(path.name.removesuffix(self.suffix) for path in (golden / self.name).glob(f"*{self.suffix}"))
