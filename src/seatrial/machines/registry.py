"""Which driver reaches the machines of a cluster, found among the installed packages.

Others add theirs with an entry point in the group `seatrial.machines`; the built-in ones are there too. Where nobody
names a driver, the one that recognizes the cluster is taken: the sandbox's, so far.
"""

import os
from collections.abc import Mapping
from functools import cache

from seatrial.choice import read_choice
from seatrial.errors import UsageError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden
from seatrial.machines.driver import DriverType, MachineDriver
from seatrial.machines.none import NoMachines
from seatrial.policy.extensions import Extensions

MACHINES = "seatrial.machines"


@cache
def driver_types() -> Mapping[str, DriverType]:
    """All kinds of drivers by name; asking for one that can't be loaded raises `UsageError`."""
    return Extensions(MACHINES, DriverType)


async def find_driver(name: str | None, cluster: Client) -> MachineDriver:
    """The driver of that name, or (None) the one that recognizes the cluster's machines, or none.

    A name may carry settings, as `choice` writes them; they win over environment variables.

    Raises:
        UsageError: there is no driver of that name.
        ClusterError: the API server did not answer.
    """
    if name is not None:
        name, settings = read_choice(name)
        return await _driver_type(name).connect(cluster, {**os.environ, **settings})
    refusals = []
    for each in driver_types().values():
        try:
            if await each.recognizes(cluster):
                return await each.connect(cluster, os.environ)
        except Forbidden as error:
            refusals.append(f"whether the driver '{each.name}' reaches them could not be asked ({error.message})")
    return NoMachines(why="; ".join(refusals))


def _driver_type(name: str) -> DriverType:
    try:
        return driver_types()[name]
    except KeyError:
        there = ", ".join(driver_types())
        raise UsageError(f"there is no driver '{name}'", hint=f"drivers that are there: {there}") from None
