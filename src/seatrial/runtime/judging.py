"""Who judges the objectives of a policy: the engine asks after each scenario, and what answers it does not know."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from seatrial.policy.models import Scenario
from seatrial.runtime.verdict import PASSED, Outcome

if TYPE_CHECKING:
    from seatrial.runtime.context import Context


class Judge(Protocol):
    """Judges objectives on the runs of a scenario, those before this run included."""

    async def after(self, scenario: Scenario, context: "Context") -> None:
        """Judge the objectives of a scenario that has just ended, and publish what they came to.

        Never raises for what can't be read: that is not enough evidence, with the reason.
        """
        ...

    def is_decided(self, scenarios: Sequence[Scenario]) -> bool:
        """Whether a sequential test has decided every objective, so that further rounds would tell nothing more."""
        ...

    def outcome(self, scenarios: Sequence[Scenario]) -> Outcome:
        """What objectives add to the verdict of the run: the latest judgement of each that these scenarios have.

        One that was violated when a changed policy dropped it, or its scenario, fails the run still.
        """
        ...


class NoJudge:
    """For policies without objectives."""

    async def after(self, scenario: Scenario, context: "Context") -> None:
        """Nothing to judge."""

    def is_decided(self, scenarios: Sequence[Scenario]) -> bool:  # noqa: ARG002 -- there is nothing to decide
        """Nothing that could be decided."""
        return False

    def outcome(self, scenarios: Sequence[Scenario]) -> Outcome:  # noqa: ARG002 -- there is nothing to add
        """Nothing to add."""
        return PASSED
