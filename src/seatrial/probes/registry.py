"""The observers that a policy can name, found among the installed packages.

Others add theirs with an entry point in the group `seatrial.observers`; the built-in ones are there too.
"""

from functools import cache

from seatrial.policy.extensions import Extensions
from seatrial.probes.observer_type import ObserverType

OBSERVERS = "seatrial.observers"


@cache
def observer_types() -> Extensions[ObserverType]:
    """All observers by their key; asking for one that can't be loaded raises `UsageError`."""
    return Extensions(OBSERVERS, ObserverType)
