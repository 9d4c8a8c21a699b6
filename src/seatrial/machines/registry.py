"""Which driver reaches the machines of a cluster, found among the installed packages.

Others add theirs with an entry point in the group `seatrial.machines`; the built-in ones are there too. Where nobody
names a driver, the one that recognizes the cluster is taken: the sandbox's, so far.
"""

from collections.abc import Mapping
from functools import cache
from urllib.parse import parse_qsl, urlencode

from seatrial.errors import UsageError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden
from seatrial.machines.driver import DriverType, MachineDriver
from seatrial.machines.none import NoMachines
from seatrial.policy.extensions import load_extensions

MACHINES = "seatrial.machines"

_NOT_YET = frozenset({"azure", "gcp", "openstack"})


@cache
def driver_types() -> Mapping[str, DriverType]:
    """All kinds of drivers by name; asking for one that can't be loaded raises `UsageError`."""
    return load_extensions(MACHINES, DriverType)


def with_settings(name: str, settings: Mapping[str, str]) -> str:
    """A driver and what is set for it in one text, as the journal keeps it: `aws?regions=eu-west-1`."""
    given = {key: value for key, value in settings.items() if value}
    return f"{name}?{urlencode(given)}" if given else name


async def find_driver(wanted: str | None, cluster: Client) -> MachineDriver:
    """The driver that is wanted (`with_settings`), or (None) the one that recognizes the cluster's machines, or none.

    Raises:
        UsageError: there is no driver of that name.
        ClusterError: the API server did not answer.
    """
    if wanted is not None:
        name, _, settings = wanted.partition("?")
        return await _driver_type(name).connect(cluster, dict(parse_qsl(settings)))
    refusals = []
    for each in driver_types().values():
        try:
            if await each.recognizes(cluster):
                return await each.connect(cluster, {})
        except Forbidden as error:
            refusals.append(f"whether it is on {each.name} could not be asked ({error.message})")
    return NoMachines(why="; ".join(refusals))


def _driver_type(name: str) -> DriverType:
    try:
        return driver_types()[name]
    except KeyError:
        there = ", ".join(driver_types())
        what = f"Seatrial can't reach machines on {name} yet" if name in _NOT_YET else f"there is no driver '{name}'"
        raise UsageError(what, hint=f"drivers that are there: {there}") from None
