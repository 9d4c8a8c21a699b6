"""Goldpinger's settings: the flags and environment variables of the real one, with its defaults."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


class SettingError(ValueError):
    """A flag or variable has a value that can't be used."""


@dataclass(frozen=True)
class Settings:
    """What an instance was told; times in seconds."""

    host: str
    port: int
    peer_port: int
    hostname: str
    pod_ip: str
    pod_name: str
    ping_number: int
    label_selector: str
    namespace: str | None
    refresh_interval_seconds: float
    ping_timeout_seconds: float
    check_timeout_seconds: float
    check_all_timeout_seconds: float
    use_host_ip: bool
    display_node_name: bool
    dns_hosts: tuple[str, ...]
    tcp_targets: tuple[str, ...]
    http_targets: tuple[str, ...]
    target_timeout_seconds: float

    @classmethod
    def read(cls, argv: Sequence[str], environ: Mapping[str, str]) -> "Settings":
        """Flags win over variables, variables over defaults; raises `SettingError`."""
        asked = _asked(argv[1:], environ)
        try:
            port = int(asked.port or 80)
            return cls(
                host=asked.host,
                port=port,
                peer_port=int(asked.client_port_override or port),
                hostname=asked.hostname,
                pod_ip=asked.pod_ip or environ.get("SEATRIAL_POD_IP", ""),
                pod_name=asked.pod_name,
                ping_number=int(asked.ping_number or 0),
                label_selector=asked.label_selector,
                namespace=asked.namespace,
                refresh_interval_seconds=float(asked.refresh_interval),
                ping_timeout_seconds=_timeout(asked.ping_timeout, asked.ping_timeout_ms, 0.3),
                check_timeout_seconds=_timeout(asked.check_timeout, asked.check_timeout_ms, 1.0),
                check_all_timeout_seconds=_timeout(asked.check_all_timeout, asked.check_all_timeout_ms, 5.0),
                use_host_ip=_true(asked.use_host_ip),
                display_node_name=_true(asked.display_nodename),
                dns_hosts=tuple(asked.host_to_resolve.split()),
                tcp_targets=tuple(asked.tcp_targets.split()),
                http_targets=tuple(asked.http_targets.split()),
                target_timeout_seconds=0.5,
            )
        except ValueError as error:
            raise SettingError(str(error)) from error


# Flag (with dashes), and the variable is the same in capitals unless it stands here.
_VARIABLES: Final = {"host-to-resolve": "HOSTS_TO_RESOLVE"}
_DEFAULTS: Final = {
    "host": "localhost",
    "port": "",
    "client-port-override": "",
    "hostname": "",
    "pod-ip": "",
    "pod-name": "",
    "ping-number": "0",
    "label-selector": "app=goldpinger",
    "namespace": None,
    "refresh-interval": "30",
    "ping-timeout": "",
    "ping-timeout-ms": "",
    "check-timeout": "",
    "check-timeout-ms": "",
    "check-all-timeout": "",
    "check-all-timeout-ms": "",
    "host-to-resolve": "",
    "tcp-targets": "",
    "http-targets": "",
    "use-host-ip": "",
    "display-nodename": "",
}
_SWITCHES: Final = frozenset({"use-host-ip", "display-nodename"})
# Taken so that manifests of the real one start; they mean nothing here.
_IGNORED: Final = frozenset({"static-file-path", "kubeconfig", "zap-config", "jitter-factor", "ip-versions"})


def _asked(argv: Sequence[str], environ: Mapping[str, str]) -> SimpleNamespace:
    """All settings as text; read by hand, as argparse would cost each pod a megabyte."""
    values: dict[str, str | None] = {
        flag: environ.get(_VARIABLES.get(flag, flag.upper().replace("-", "_")), default)
        for flag, default in _DEFAULTS.items()
    }
    words = iter(argv)
    for word in words:
        flag, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or flag not in _DEFAULTS.keys() | _IGNORED:
            raise SettingError(f"unknown argument {word!r}")
        value = text if equals else "true" if flag in _SWITCHES else next(words, None)
        if value is None:
            raise SettingError(f"{word} needs a value")
        values[flag] = value
    return SimpleNamespace(**{flag.replace("-", "_"): value for flag, value in values.items()})


def _timeout(duration: str, milliseconds: str, default: float) -> float:
    if duration:
        return seconds(duration)
    return float(milliseconds) / 1000 if milliseconds else default


def seconds(text: str) -> float:
    """A Go duration such as `300ms` or `1m30s`; raises `ValueError` for what is none."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise SettingError(f"invalid duration {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _true(text: str) -> bool:
    return text.lower() in {"1", "t", "true", "yes"}
