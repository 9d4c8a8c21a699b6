"""The mutation `toxiproxy`: a sidecar stands in the way of what comes to the pod's ports.

This is what a policy says of it; what is made of that stands in `steps.clone.toxiproxy`.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from seatrial.policy.base import Complaint, Model
from seatrial.policy.scalars import Fraction, Integer, Items
from seatrial.steps.clone.mutations.tc import DEFAULT_IMAGE

_ADDRESS = "^.*:[0-9]{1,5}$"


class ExtraProxy(Model):
    """A proxy of one's own, such as one to a database that the copy is told to use."""

    name: Annotated[str, Field(min_length=1)]
    """Its name; unique."""

    listen: Annotated[str, Field(pattern=_ADDRESS)]
    """Where it listens, such as `localhost:2222`."""

    upstream: Annotated[str, Field(pattern=_ADDRESS)]
    """What it passes connections on to, such as `postgres.shop:5432`."""


class ToxicAttribute(Model):
    """An attribute of a toxic."""

    name: Annotated[str, Field(min_length=1)]
    """The attribute's name, as in [Toxiproxy's documentation](https://github.com/Shopify/toxiproxy#toxics)."""

    value: Integer
    """The attribute's value, a whole number."""


class Toxic(Model):
    """Something that befalls the traffic through a proxy."""

    target_proxy: Annotated[str, Field(min_length=1)]
    """Which proxy: the number or name of a port of the Deployment, the name of an automatic proxy (`auto8080`), or of
    one under `proxies`."""

    toxic_type: Annotated[str, Field(min_length=1)]
    """The type of the toxic: `latency`, `bandwidth`, `slow_close`, `timeout`, `reset_peer`, `slicer`, `limit_data`, or
    what else the image's Toxiproxy has."""

    toxic_attributes: Items[ToxicAttribute] = ()
    """The toxic's attributes, such as `latency` in milliseconds."""

    stream: Literal["upstream", "downstream"] = "downstream"
    """Which direction: what comes to the pod (`upstream`) or what it answers (`downstream`)."""

    toxicity: Fraction = 1.0
    """Which share of the connections it befalls, from 0 to 1."""


class Toxiproxy(Model):
    """Send what comes to the copy's TCP ports through Toxiproxy, with toxics in it."""

    user: Annotated[Integer, Field(ge=0)] = 0
    """The numeric user that the init container with iptables runs as."""

    image_iptables: Annotated[str, Field(min_length=1)] = DEFAULT_IMAGE
    """The image of the init container; it needs `/bin/sh` and `iptables` (and `ip6tables` for pods with IPv6)."""

    image_toxiproxy: Annotated[str, Field(min_length=1)] = "docker.io/shopify/toxiproxy:2.1.4"
    """The image of the sidecar, whose entrypoint is Toxiproxy's server, as in the official images of all versions."""

    toxiproxy_cli: Annotated[str, Field(min_length=1)] = "/go/bin/toxiproxy-cli"
    """Where the image has Toxiproxy's command line. Read for compatibility: the sidecar is configured through its HTTP
    interface, which images with and without a command line have."""

    proxies: Items[ExtraProxy] = ()
    """More proxies, beside the automatic ones."""

    toxics: Items[Toxic] = ()
    """What befalls the traffic."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Names of proxies are unique."""
        proxies = given.get("proxies")
        seen: set[str] = set()
        for index, proxy in enumerate(proxies if isinstance(proxies, list | tuple) else ()):
            name = proxy.get("name") if isinstance(proxy, dict) else getattr(proxy, "name", None)
            if isinstance(name, str) and name in seen:
                yield Complaint(f"is '{name}' a second time; names must be unique", ("proxies", index, "name"))
            if isinstance(name, str):
                seen.add(name)
