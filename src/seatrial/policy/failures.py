"""What fails of itself in the run strategy `failures`: which nodes or pods, how often, and what a failure does.

As in `models`, the matchers stand with the code that finds what they name; `steps.registry` joins both.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from seatrial.policy.base import Complaint, Model, OneKey
from seatrial.policy.scalars import FilledItems, Number, Span


class Correlation(Model):
    """Failures that take all of a zone together.

    The beta factor model: a share of each one's failures has a cause that it shares with all of its zone. It fails as
    often as without this; only not always alone.
    """

    by: Literal["zone"] = "zone"
    """What shares a cause: the nodes of a zone (`topology.kubernetes.io/zone`), or the pods on them. What is in no zone
    fails alone."""

    share: Annotated[Number, Field(gt=0, le=1)]
    """The share of each one's failures that is its whole zone's."""


class Failure(Model):
    """Something that fails of itself, and what it is when it does."""

    nodes: FilledItems[OneKey] | None = None
    """Which nodes fail: those of all matchers, as far as they are up."""

    pods: FilledItems[OneKey] | None = None
    """Which pods fail: those of all matchers, as far as they are on a node and have not ended."""

    mttf: Span
    """The mean time to failure of each: a number and one of `s`, `m`, `h`, `d`, `w`, `y`, such as `5y` or `90d`."""

    shape: Annotated[Number, Field(ge=0.1, le=20)] = 1.0
    """The shape of the Weibull distribution that times to failure are drawn from: 1 is the exponential one, for what
    fails as easily at any age; above 1 the old fail more often, below 1 the young. Ages begin with the run, and anew
    with each failure."""

    correlation: Correlation | None = None
    """Failures that take all of a zone together. Without it, each fails alone."""

    scenario: str
    """The name of the scenario that is a failure: it finds what has failed with the matcher `failed: true`."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Nodes or pods."""
        named = [key for key in ("nodes", "pods") if given.get(key) is not None]
        if len(named) != 1:
            yield Complaint(f"{'has both' if named else 'needs one of'}: nodes, pods; exactly one is allowed")
