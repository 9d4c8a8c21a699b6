"""The actions that a policy can name, found among the installed packages.

Others add theirs with an entry point in the group `seatrial.pod_actions`; the built-in ones are there too.
"""

from functools import cache

from seatrial.actions.action_type import ActionType
from seatrial.policy.extensions import load_extensions

POD_ACTIONS = "seatrial.pod_actions"


@cache
def pod_actions() -> dict[str, ActionType]:
    """All pod actions by their key; raises `UsageError` for one that can't be loaded."""
    return load_extensions(POD_ACTIONS, ActionType)
