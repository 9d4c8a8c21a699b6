"""What is sent: one or several notices as one message, the same values for the default JSON and for templates.

The form of the JSON is `seatrial.notification/1`: keys may be added to it, none is removed or changes its meaning.
"""

import socket
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2s
from typing import Any

import msgspec

from seatrial import __version__
from seatrial.runtime.events import RunStarted
from seatrial.telemetry.notifications.notices import Notice

SCHEMA = "seatrial.notification/1"

_SEVERITIES = ("critical", "warning", "info")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message: its id stays the same however often it is sent, and `values` is what templates see.

    A message that says more than one before has another id: receivers that had that one must not take it for the same.
    """

    id: str
    title: str
    text: str
    severity: str
    values: dict[str, Any]


def make_message(notices: Sequence[Notice], *, run: RunStarted | None, channel: int, omitted: int = 0) -> Message:
    """One message of some notices; the worst of them, or the first of several such, is its title.

    Args:
        notices: at least one.
        run: the run that it is about, where it has begun.
        channel: the place of the channel in the policy: each has ids of its own.
        omitted: how many notices there were no room for.
    """
    about = _about(run)
    severity = min((each.severity for each in notices), key=_SEVERITIES.index)
    title = min(notices, key=lambda each: _SEVERITIES.index(each.severity)).title
    if len(notices) + omitted > 1:
        title = f"{title} (and {len(notices) + omitted - 1} more)"
    text = _text(notices, about, omitted)
    identifier = _id(notices, run=about["id"] or "no-run", channel=channel, omitted=omitted)
    values = {
        "schema": SCHEMA,
        "id": identifier,
        "title": title,
        "text": text,
        "severity": severity,
        "occasions": list(dict.fromkeys(each.occasion for each in notices)),
        "run": about,
        "notices": [_as_values(each) for each in notices],
        "omitted": omitted,
    }
    return Message(id=identifier, title=title, text=text, severity=severity, values=values)


def _id(notices: Sequence[Notice], *, run: str, channel: int, omitted: int) -> str:
    said = " ".join(f"{each.sequence}{each.occasion}{each.subject}" for each in notices)
    return f"{run}-{channel}-{blake2s(f'{said} {omitted}'.encode(), digest_size=6).hexdigest()}"


def _about(run: RunStarted | None) -> dict[str, Any]:
    return {
        "id": run.run_id if run else "",
        "policy": run.policy if run else "",
        "seed": run.seed if run else "",
        "cluster": run.cluster if run else "",
        "context": run.context if run else "",
        "server": run.server if run else "",
        "kubernetes": run.kubernetes if run else "",
        "host": socket.gethostname(),
        "seatrial": __version__,
        "report": f"seatrial report {run.run_id}" if run else "",
    }


def _as_values(notice: Notice) -> dict[str, Any]:
    named = (
        "occasion", "severity", "reminder", "time", "title", "text", "scenario", "round", "manual", "objective",
    )  # fmt: skip
    values = {name: getattr(notice, name) for name in named}
    return {**values, "reasons": list(notice.reasons)}


def _text(notices: Sequence[Notice], about: dict[str, Any], omitted: int) -> str:
    """For people: what happened, then which run it was and where to read on."""
    parts = []
    for each in notices:
        time = f"{datetime.fromisoformat(each.time):%Y-%m-%d %H:%M:%S %Z}"
        when = f"{time}, round {each.round}" if each.round else time
        parts.append("\n".join(filter(None, (each.title, each.text, when))))
    if omitted:
        parts.append(f"... and {omitted} more, for which there was no room")
    if about["id"]:
        where = about["context"] or about["server"]
        parts.append(f"Run {about['id']} of {about['policy']} on {where}\nReport: {about['report']}")
    return "\n\n".join(parts)
