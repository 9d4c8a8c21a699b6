"""The step `alertManagerAction`: keep Alertmanagers quiet while an experiment breaks what they watch."""

from typing import Annotated
from urllib.parse import urlsplit

from msgspec.structs import replace
from pydantic import AfterValidator, Field

from seatrial.actions.alerts.alertmanager import Address
from seatrial.actions.alerts.mute import mute
from seatrial.policy.base import Model, OneKey, complain, option
from seatrial.policy.scalars import Items, Number
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import PASSED, Outcome, nothing_to_do
from seatrial.steps.proxy_address import proxy_url
from seatrial.steps.retries import Retries, with_retries
from seatrial.steps.step_type import StepType


def _as_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_host = False
    if not has_host:
        raise complain("is no URL with a host, such as 'http://alertmanager.example.com:9093/api/v2'")
    return value


class AlertmanagerTarget(Model):
    """An Alertmanager."""

    url: Annotated[str, Field(pattern=r"^https?://.+/api/v2/?$"), AfterValidator(_as_address)]
    """The URL of its API, which ends in `/api/v2`; a user and password may stand in it."""


class Mute(Model):
    """Silence all alerts."""

    duration: Annotated[Number, Field(ge=60, le=86400)] = 900.0
    """How long, in seconds: the silence ends by itself then, even if nobody ends it before."""

    auto_unmute: bool = True
    """End the silence when the scenario ends. With `false`, it lasts as long as `duration` says."""


class AlertAction(OneKey):
    """What to do to the Alertmanagers."""

    mute: Mute = option()
    """Silence all alerts."""


class Proxies(Model):
    """HTTP proxies, by the scheme of the target's URL. Proxies named by environment variables are ignored."""

    http: str = ""
    """For targets whose URL begins with `http://`."""

    https: str = ""
    """For targets whose URL begins with `https://`."""


class AlertManagerAction(Model):
    """Keep Alertmanagers quiet while the experiment runs."""

    targets: Items[AlertmanagerTarget]
    """Which Alertmanagers."""

    actions: Items[AlertAction]
    """What to do, in order; each action is done to all targets."""

    proxies: Proxies = Proxies()
    """How to get to them."""

    retries: Retries | None = None
    """How often to try again where an Alertmanager does not do as it should; without it, never."""

    insecure: bool = False
    """Accept any TLS certificate."""


async def run(spec: AlertManagerAction, context: Context) -> Outcome:
    """Do all actions to all targets; a try after the first leaves alone what worked before."""
    if not spec.targets or not spec.actions:
        return nothing_to_do("no targets" if not spec.targets else "no actions")
    left = [(index, action.spec, address) for index, action in enumerate(spec.actions) for address in _addresses(spec)]

    async def attempt(number: int) -> Outcome:
        while left:
            index, action, address = left[0]
            here = context.at(where=replace(context.where, attempt=number, action=index))
            await mute(address, here, duration_seconds=action.duration, ended=action.auto_unmute)
            del left[0]
        return PASSED

    return await with_retries(spec.retries, attempt, context.clock, halt=context.halt)


async def plan(spec: AlertManagerAction, context: Context) -> StepPlan:  # noqa: ARG001 -- every step gets it
    """Which Alertmanagers would be muted, for how long; they are not asked."""
    changes = [
        f"silence all alerts of {address.shown} for {action.spec.duration:g} s"
        + (", ended with the scenario" if action.spec.auto_unmute else "")
        for action in spec.actions
        for address in _addresses(spec)
    ]
    count = f"{len(spec.targets)} Alertmanager{'' if len(spec.targets) == 1 else 's'}"
    return StepPlan(summary=f"{', then '.join(each.key for each in spec.actions)} {count}", changes=tuple(changes))


def _addresses(spec: AlertManagerAction) -> list[Address]:
    urls = dict.fromkeys(target.url.rstrip("/") for target in spec.targets)
    proxies = {"http": spec.proxies.http, "https": spec.proxies.https}
    return [Address(url=url, proxy=proxy_url(proxies[urlsplit(url).scheme]), insecure=spec.insecure) for url in urls]


STEP = StepType(key="alertManagerAction", model=AlertManagerAction, run=run, plan=plan)
