"""The actions that a policy can name, found among the installed packages.

Others add theirs with an entry point in the group `seatrial.pod_actions` or `seatrial.node_actions`; the built-in ones
are there too.
"""

from functools import cache

from seatrial.actions.action_type import ActionType
from seatrial.actions.node_action_type import NodeActionType
from seatrial.policy.extensions import Extensions

POD_ACTIONS = "seatrial.pod_actions"
NODE_ACTIONS = "seatrial.node_actions"


@cache
def pod_actions() -> Extensions[ActionType]:
    """All pod actions by their key; asking for one that can't be loaded raises `UsageError`."""
    return Extensions(POD_ACTIONS, ActionType)


@cache
def node_actions() -> Extensions[NodeActionType]:
    """All node actions by their key; asking for one that can't be loaded raises `UsageError`."""
    return Extensions(NODE_ACTIONS, NodeActionType)
