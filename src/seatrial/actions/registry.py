"""The actions that a policy can name, found among the installed packages.

Others add theirs with an entry point in the group `seatrial.pod_actions` or `seatrial.node_actions`; the built-in ones
are there too.
"""

from collections.abc import Mapping
from functools import cache

from seatrial.actions.action_type import ActionType
from seatrial.actions.node_action_type import NodeActionType
from seatrial.policy.extensions import load_extensions

POD_ACTIONS = "seatrial.pod_actions"
NODE_ACTIONS = "seatrial.node_actions"


@cache
def pod_actions() -> Mapping[str, ActionType]:
    """All pod actions by their key; asking for one that can't be loaded raises `UsageError`."""
    return load_extensions(POD_ACTIONS, ActionType)


@cache
def node_actions() -> Mapping[str, NodeActionType]:
    """All node actions by their key; asking for one that can't be loaded raises `UsageError`."""
    return load_extensions(NODE_ACTIONS, NodeActionType)
