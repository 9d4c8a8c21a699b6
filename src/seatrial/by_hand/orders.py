"""What a person orders, as one step of the policy language.

Only what a policy can say can be ordered. So everything that holds for policies (validation, plans, guardrails, undo,
evidence) holds for what is done by hand, and what was done can be written out as a policy.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from seatrial.errors import UsageError
from seatrial.policy.base import OneKey
from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.steps.registry import policy_model

NAME = "by hand"
"""What the scenario is called that orders are steps of."""

_PLACE = "scenarios[0].steps[0]."


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do, in a person's words (`title`) and as a step of a policy.

    `recorded` has the steps of a recorded policy, where those are others: a pod that was killed by its name is gone,
    and a policy that is to run again names its owner instead. `note` explains that in the policy, in one line.
    What `is_destructive` is shown and confirmed before it is done; the names of what is `irrevocable`, which nothing
    brings back, are to be typed in full.
    """

    title: str
    step: Mapping[str, Any]
    recorded: tuple[Mapping[str, Any], ...] = ()
    note: str = ""
    is_destructive: bool = True
    irrevocable: tuple[str, ...] = ()


def parsed_step(order: Order) -> OneKey:
    """The step with its spec, checked as a policy file is.

    Raises:
        UsageError: the policy language has no such step; the message is its first problem.
    """
    document = {"scenarios": [{"name": NAME, "steps": [order.step]}]}
    try:
        policy = load_policy(msgspec.json.encode(document), model=policy_model(), name=NAME)
    except InvalidPolicy as error:
        problem = error.problems[0]
        place = problem.path.removeprefix(_PLACE)
        raise UsageError(f"can't {order.title}: {place}: {problem.message}") from None
    return policy.scenarios[0].steps[0]
