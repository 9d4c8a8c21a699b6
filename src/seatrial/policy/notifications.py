"""Who is told of what: the items of `config.notify`.

What is sent, when, and how stands in `telemetry.notifications`; here is what a policy may say.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from seatrial.policy.base import Complaint, Model, OneKey, complain, option
from seatrial.policy.scalars import FilledItems, Integer, Items, Number, Span
from seatrial.policy.secret_sources import Secret, SecretSource

Occasion = Literal[
    "violated",
    "recovered",
    "burning",
    "cleanUpFailed",
    "failed",
    "inconclusive",
    "halted",
    "policyRejected",
    "scheduleMissed",
    "started",
    "finished",
]
"""What happened: an objective came to be violated, or is met again; its error budget burns too fast; clean-up failed; a
scenario failed, or was inconclusive; experiments were halted; a changed policy can't be used; a time of the schedule
passed without a round; a run started, or finished."""

_CONTENT_TYPE = "content-type"


def _as_template(value: str) -> str:
    from seatrial.policy.notification_templates import problem_of  # noqa: PLC0415 -- Jinja, which few policies need

    if problem := problem_of(value):
        raise complain(problem)
    return value


def _as_url(value: Secret) -> Secret:
    try:
        parts = urlsplit(value.get_secret_value())
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise complain("is no URL with a host, such as 'https://example.com/hook'")
    return value


Template = Annotated[str, AfterValidator(_as_template)]
"""A Jinja template."""

SecretUrl = Annotated[Secret, AfterValidator(_as_url)]
"""An absolute URL that nobody may see."""


_OF_OBJECTIVES = frozenset({"violated", "recovered", "burning"})
_DEFAULT_OCCASIONS: tuple[Occasion, ...] = ("violated", "recovered", "cleanUpFailed")


class Channel(Model):
    """What every way of telling somebody has."""

    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """What to call it in messages; without it, what it is and its place in the list."""

    on: FilledItems[Occasion] = _DEFAULT_OCCASIONS
    """What to tell: `violated` and `recovered` for objectives that come to be violated and are met again, `burning` for
    an error budget that will not last, `cleanUpFailed`, `failed` and `inconclusive` for scenarios, `halted`, `started`
    and `finished` for runs, `policyRejected` for a changed policy that can't be used, `scheduleMissed` for a time of
    the schedule at which no round began."""

    at_most_every: Span = "5m"
    """The shortest time between two messages; what happens in between comes in one message at its end, or when the run
    ends."""

    remind_every: Span | None = None
    """How often to tell again of an objective that is still violated; without it, never."""

    timeout_seconds: Annotated[Number, Field(gt=0, le=300)] = Field(default=10.0, alias="timeout")
    """How long one try may take, in seconds."""

    retries: Annotated[Integer, Field(ge=0, le=20)] = 4
    """How often to try again, with growing pauses, before the message waits for the next one's time."""


class NotificationHeader(Model):
    """A header of the request."""

    name: Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
    """The header's name."""

    value: Annotated[Secret, Field(json_schema_extra={"pattern": r"^[^\r\n]*$"})] | None = None
    """The header's value; shown nowhere."""

    value_from: SecretSource | None = None
    """Where the value is read from."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """One value, in one line."""
        yield from _one_of(given, "value", "valueFrom")
        value = given.get("value")
        if isinstance(value, str) and any(each in value for each in "\r\n"):
            yield Complaint("has several lines, which no header can", ("value",))


class Webhook(Channel):
    """Send an HTTP request. Redirects to another host are not followed: the request may carry secrets."""

    url: SecretUrl | None = None
    """Where to send it; shown nowhere but for its host."""

    url_from: SecretSource | None = None
    """Where the URL is read from."""

    method: Literal["post", "put", "patch"] = "post"
    """The HTTP method."""

    headers: Items[NotificationHeader] = ()
    """More headers. `Content-Type` is `application/json` without one here."""

    body: Template | None = None
    """A Jinja template of the body; `{{ title | tojson }}` writes a value as JSON. Without it, all there is as JSON."""

    secret: Secret | None = None
    """Signs each message as Standard Webhooks has it (`webhook-signature`): a text, or `whsec_` and base64."""

    secret_from: SecretSource | None = None
    """Where that secret is read from."""

    proxy: SecretUrl | None = None
    """The URL of an HTTP proxy. Proxies named by environment variables are ignored."""

    insecure: bool = False
    """Accept any TLS certificate."""

    ca_file: Annotated[str, Field(min_length=1)] | None = None
    """A file with the certificates of authorities to trust instead of this machine's."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """One URL, one secret at most; JSON has to be JSON."""
        yield from _one_of(given, "url", "urlFrom")
        if given.get("secret") is not None and given.get("secretFrom") is not None:
            yield Complaint("is a second secret beside 'secret'", ("secretFrom",), at_key=True)
        if given.get("insecure") is True and given.get("caFile") is not None:
            yield Complaint("makes no sense with 'insecure: true'", ("caFile",), at_key=True)
        if problem := _json_problem(given):
            yield Complaint(problem, ("body",))
        yield from _objective_problems(given, "body")


class Apprise(Channel):
    """Tell by Apprise, which knows Slack, Teams, e-mail, PagerDuty and many others; needs the extra `notify`."""

    urls: FilledItems[Secret] | None = None
    """Apprise's URLs, such as `mailto://user:password@example.com`; shown nowhere."""

    urls_from: SecretSource | None = None
    """Where the URLs are read from, separated by white space."""

    title: Template | None = None
    """A Jinja template of the title."""

    body: Template | None = None
    """A Jinja template of the text."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """URLs from one place."""
        yield from _one_of(given, "urls", "urlsFrom")
        yield from _objective_problems(given, "title", "body")


class Notification(OneKey):
    """A way to tell somebody what happens in a run."""

    webhook: Webhook = option()
    """Send an HTTP request."""

    apprise: Apprise = option()
    """Tell by Slack, Teams, e-mail, PagerDuty, ..."""


def _one_of(given: Mapping[str, Any], *keys: str) -> Iterator[Complaint]:
    named = [key for key in keys if given.get(key) is not None]
    if len(named) != 1:
        yield Complaint(f"{'has both' if named else 'needs one of'}: {', '.join(keys)}; exactly one is allowed")


def _objective_problems(given: Mapping[str, Any], *templates: str) -> Iterator[Complaint]:
    """Templates that take it for granted that there is an objective, in channels that hear of other things, too."""
    occasions = given.get("on") or _DEFAULT_OCCASIONS
    others = [each for each in occasions if each not in _OF_OBJECTIVES] if isinstance(occasions, list | tuple) else []
    for key in templates:
        template = given.get(key)
        if not others or not isinstance(template, str):
            continue
        from seatrial.policy.notification_templates import (  # noqa: PLC0415 -- as above
            problem_of,
            problem_without_objective,
        )

        if not problem_of(template) and (problem := problem_without_objective(template)):
            yield Complaint(f"fails for '{others[0]}', where 'objective' is null: {problem}", (key,))


def _json_problem(given: Mapping[str, Any]) -> str:
    """Whether a body that is sent as JSON would not be; what is wrong with the template itself is said elsewhere."""
    body = given.get("body")
    if not isinstance(body, str) or not _is_json(given.get("headers")):
        return ""
    from seatrial.policy.notification_templates import EXAMPLE, problem_of, render  # noqa: PLC0415 -- as above

    if problem_of(body):
        return ""
    try:
        json.loads(render(body, EXAMPLE))
    except ValueError:
        return "becomes no JSON; write values as {{ title | tojson }}, or give another Content-Type under headers"
    return ""


def _is_json(headers: Any) -> bool:
    for each in headers if isinstance(headers, list | tuple) else ():
        name = each.get("name") if isinstance(each, dict) else getattr(each, "name", None)
        if isinstance(name, str) and name.lower() == _CONTENT_TYPE:
            value = each.get("value") if isinstance(each, dict) else ""
            return isinstance(value, str) and "json" in value.lower()
    return True
