"""Templates of notifications: Jinja's, sandboxed, and checked when a policy is read rather than in the dead of night.

A template sees what `telemetry.notifications.message` hands it: the names of `EXAMPLE`, which is also what it is tried
with.
"""

from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment

_OBJECTIVE = {
    "name": 'p95 of "x" below 30 s',
    "status": "violated",
    "previous": "met",
    "measurement": "timeToReady",
    "limit": 30.0,
    "unit": "s",
    "confidence": 0.95,
    "window": "24h",
    "samples": 120,
    "estimate": 31.5,
    "lower": 30.4,
    "upper": 33.0,
    "more_needed": 12,
    "budget_left": 0.25,
    "burn_rates": {"5m": 20.0, "1h": 15.0, "6h": 3.0},
    "warnings": [],
}
_NOTICE = {
    "occasion": "violated",
    "severity": "critical",
    "reminder": False,
    "time": "2030-01-01T12:00:00+00:00",
    "title": 'a "title"',
    "text": 'a "sentence"\nand another\\',
    "scenario": "a scenario",
    "round": 3,
    "reasons": ['a "reason"'],
    "manual": "kubectl scale deployment web --replicas 3",
    "objective": _OBJECTIVE,
}
EXAMPLE: dict[str, Any] = {
    "schema": "seatrial.notification/1",
    "id": "0a1b2c3d4e5f-1-5d41402abc4b",
    "title": 'a "title"',
    "text": 'a "title"\n\na "sentence"\\',
    "severity": "critical",
    "occasions": ["violated"],
    "run": {
        "id": "0a1b2c3d4e5f",
        "policy": "policy.yml",
        "seed": "7",
        "cluster": "8b6b3f0a-0000-4000-8000-000000000000",
        "context": "staging",
        "server": "https://10.0.0.1:6443",
        "kubernetes": "v1.36.0",
        "host": "ops-1",
        "seatrial": "1.0.0",
        "report": "seatrial report 0a1b2c3d4e5f",
    },
    "notices": [_NOTICE],
    "omitted": 0,
}
"""A message, as templates see it; quotes, backslashes and line breaks in it show where a template forgets to escape."""


OTHER_EXAMPLE: dict[str, Any] = {**EXAMPLE, "notices": [{**_NOTICE, "objective": None}]}
"""The same about something that is no objective, such as a clean-up that failed."""


class TemplateFailed(Exception):  # noqa: N818 -- it says what happened
    """A template can't be rendered, and why."""


def problem_of(template: str) -> str:
    """What is wrong with a template; empty where it renders."""
    try:
        unknown = sorted(meta.find_undeclared_variables(_environment().parse(template)) - EXAMPLE.keys())
        if unknown:
            return f"names {unknown[0]!r}, which there is not; there are: {', '.join(EXAMPLE)}"
        render(template, EXAMPLE)
    except TemplateError as error:
        return f"is no template that works: {_in_words(error)}"
    except TemplateFailed as error:
        return f"is no template that works: {error}"
    return ""


def problem_without_objective(template: str) -> str:
    """What is wrong with a template that works, where a message is about something else than an objective."""
    try:
        render(template, OTHER_EXAMPLE)
    except TemplateFailed as error:
        return str(error)
    return ""


def render(template: str, values: dict[str, Any]) -> str:
    """A template with a message's values.

    Raises:
        TemplateFailed: it does not work with them.
    """
    try:
        return _environment().from_string(template).render(values)
    except TemplateError as error:
        raise TemplateFailed(_in_words(error)) from error
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise TemplateFailed(f"{type(error).__name__}: {error}") from error


def _in_words(error: TemplateError) -> str:
    line = getattr(error, "lineno", None)
    return f"{error.message}" + (f" (line {line})" if line else "")


def _environment() -> SandboxedEnvironment:
    """Nothing is escaped of itself: `tojson` is for JSON, and what receives plain text wants it as it is."""
    # Texts go to other machines, never into a page of ours.
    environment = SandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
    # What is undefined says so when it is made a text of.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False, "default": str}
    return environment
