"""Which regions of AWS: a flag, the cluster's nodes, AWS's own configuration."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from seatrial.errors import ConfigurationError
from seatrial.kube.client import Client
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES

if TYPE_CHECKING:
    from seatrial.machines.aws_api import AwsApi

# A zone begins with its region, local zones and Wavelength's too.
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+-\d+")


async def regions_of(cluster: Client, settings: Mapping[str, str], api: "AwsApi") -> Sequence[str]:
    """The regions to look for machines in: those given, else those of the cluster's nodes and AWS's configuration.

    Raises:
        ConfigurationError: there are none.
        ClusterError: the API server refused, or did not answer.
    """
    if given := [each.strip() for each in settings.get("AWS_REGIONS", "").split(",") if each.strip()]:
        return tuple(dict.fromkeys(given))
    nodes = (await cluster.list(NODES, type=Node)).items
    configured = settings.get("AWS_REGION") or settings.get("AWS_DEFAULT_REGION") or await api.default_region()
    found = sorted({*_regions_in(node.spec.provider_id for node in nodes), *([configured] if configured else [])})
    if not found:
        raise ConfigurationError(
            "which AWS regions the machines are in is not known", hint="name them: --aws-region eu-west-1,us-east-1"
        )
    return tuple(found)


def _regions_in(provider_ids: Iterable[str]) -> set[str]:
    """The regions of `aws:///eu-west-1a/i-0abc`, as Amazon's cloud provider writes it."""
    zones = [each.removeprefix("aws:///").partition("/")[0] for each in provider_ids if each.startswith("aws:///")]
    return {match[0] for zone in zones if (match := _REGION.match(zone))}
