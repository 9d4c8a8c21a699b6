"""What probes and lifecycle hooks may not say."""

import re
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.statuses import FieldError, forbidden_field, invalid, required, unsupported

NOT_NEGATIVE: Final = "must be greater than or equal to 0"
PORT_RANGE: Final = "must be between 1 and 65535, inclusive"
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PORT_NAME: Final = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_TIMES: Final = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def probe_errors(probe: Object, path: str, *, only_one: bool) -> list[FieldError]:
    """What is wrong with a probe; `only_one`: one success must be enough."""
    errors = handler_errors(probe, path)
    for key in _TIMES:
        if probe.get(key, 0) < 0:
            errors.append(invalid(f"{path}.{key}", probe[key], NOT_NEGATIVE))
    if only_one and probe.get("successThreshold", 1) != 1:
        errors.append(invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    return errors


def handler_errors(handler: Object, path: str) -> list[FieldError]:
    """What is wrong with an action: one of several, each with fields of its own."""
    found = [kind for kind in _HANDLERS if handler.get(kind) is not None]
    errors: list[FieldError] = []
    for position, kind in enumerate(found):
        where = f"{path}.{kind}"
        if position:
            errors.append(forbidden_field(where, "may not specify more than 1 handler type"))
        else:
            errors += _action_errors(kind, handler[kind], where)
    if not found:
        errors.append(required(path, "must specify a handler type"))
    return errors


def _action_errors(kind: str, action: Object, path: str) -> list[FieldError]:
    if kind == "exec":
        return [] if action.get("command") else [required(f"{path}.command")]
    if kind == "httpGet":
        errors = [] if action.get("path") else [required(f"{path}.path")]
        errors += _target_errors(action.get("port"), f"{path}.port")
        scheme = action.get("scheme", "HTTP")
        return errors if scheme in ("HTTP", "HTTPS") else [
            *errors, unsupported(f"{path}.scheme", scheme, ("HTTP", "HTTPS")),
        ]  # fmt: skip
    return _target_errors(action.get("port"), f"{path}.port") if kind in ("tcpSocket", "grpc") else []


def _target_errors(port: object, path: str) -> list[FieldError]:
    if isinstance(port, str):
        return port_name_errors(port, path)
    number = port if isinstance(port, int) else 0
    return [] if 1 <= number <= 65535 else [invalid(path, number, PORT_RANGE)]


def port_name_errors(name: str, path: str) -> list[FieldError]:
    """What is wrong with a port's name (an IANA service name)."""
    rules = (
        (len(name) <= 15, "must be no more than 15 characters"),
        (
            _PORT_NAME.match(name) or not re.fullmatch(r"[-a-z0-9]*", name),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (re.fullmatch(r"[-a-z0-9]*", name), "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"),
        (re.search(r"[a-z]", name), "must contain at least one letter (a-z)"),
        ("--" not in name, "must not contain consecutive hyphens"),
        (not name.startswith("-") and not name.endswith("-"), "must not begin or end with a hyphen"),
    )
    return list(dict.fromkeys(invalid(path, name, text) for holds, text in rules if not holds))
