"""What Amazon EC2 says of an instance, as boto3 hands it out, and how many of them it may be asked about at once."""

from collections.abc import Iterator, Sequence
from typing import Any

from seatrial.machines.driver import Machine, MachineGone, MachineState

SCALING_GROUP_TAG = "aws:autoscaling:groupName"
MOST_FILTER_VALUES = 200
"""How many values a filter takes: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html"""

_STATES = {"running": MachineState.UP, "stopped": MachineState.DOWN, "terminated": MachineState.DOWN}
_GROUP_TAGS = (SCALING_GROUP_TAG, "eks:nodegroup-name", "karpenter.sh/nodepool", "kops.k8s.io/instancegroup")


def batches(names: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """All names in their order, so many at a time."""
    return (names[start : start + most] for start in range(0, len(names), most))


def as_machine(instance: Any, region: str) -> Machine:
    """An instance as every driver tells of its machines."""
    id_, zone, tags = instance["InstanceId"], instance["Placement"]["AvailabilityZone"], tags_of(instance)
    spot = ("spot",) if instance.get("InstanceLifecycle") == "spot" else ()
    named = (tags[key] for key in _GROUP_TAGS if key in tags)
    return Machine(
        id=id_,
        name=instance.get("PrivateDnsName") or tags.get("Name") or id_,
        state=_STATES.get(state_of(instance), MachineState.UNKNOWN),
        addresses=_addresses(instance),
        provider_id=f"aws:///{zone}/{id_}",
        zone=zone,
        region=region,
        groups=tuple(dict.fromkeys([*named, *spot, *(f"{key}={value}" for key, value in tags.items())])),
        labels=tags,
    )


def _addresses(instance: Any) -> tuple[str, ...]:
    """The private address first, then those of further interfaces, then the public ones."""
    interfaces = instance.get("NetworkInterfaces", ())
    private = [each["PrivateIpAddress"] for face in interfaces for each in face.get("PrivateIpAddresses", ())]
    found = [instance.get("PrivateIpAddress"), *private, instance.get("PublicIpAddress"), instance.get("Ipv6Address")]
    return tuple(dict.fromkeys(each for each in found if each))


def tags_of(instance: Any) -> dict[str, str]:
    """Its tags, by their keys."""
    return {each["Key"]: each["Value"] for each in sorted(instance.get("Tags", ()), key=lambda tag: tag["Key"])}


def state_of(instance: Any) -> str:
    """Its state, in Amazon's word."""
    return str(instance["State"]["Name"])


def gone(machine_id: str, instance: Any) -> MachineGone:
    """What there is to say of an instance that has been terminated, or is being."""
    why = instance.get("StateReason", {}).get("Message", "")
    return MachineGone(f"instance {machine_id} is {state_of(instance)}{f': {why}' if why else ''}")
