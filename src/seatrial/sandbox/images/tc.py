"""`tc`: as much of it as makes a pod slow to answer, which is what chaos tools put into init containers.

    tc qdisc add dev eth0 root netem delay 100ms 20ms

The delay is written to the file in which `iptables` keeps its rules. The kubelet, which then stands before the pod's
ports, holds up what the pod answers by so much, give or take the second time. What the pod's programs ask of others is
not held up, since their connections don't pass the kubelet; whatever else netem can do (loss, corruption, rates) is
refused rather than pretended.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.sandbox.images.iptables import RULES_VARIABLE
from seatrial.sandbox.images.serving import complain, say

_DELAY_KEY = "delay"
_TIME = re.compile(r"(\d+(?:\.\d+)?)(s|sec|secs|ms|msec|msecs|us|usec|usecs)?")
_SECONDS = {"s": 1.0, "m": 1e-3, "u": 1e-6, "": 1e-6}  # a number alone is microseconds, tc(8)
_ROOT = ("dev", "eth0", "root")


@dataclass(frozen=True)
class Delay:
    """How long a pod's answers are held up, give or take `jitter_seconds`."""

    seconds: float
    jitter_seconds: float = 0.0


class _RefusedError(Exception):
    """What can't be done, in one line, and the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Carry out one command."""
    try:
        _run(list(argv[1:]), environ)
    except _RefusedError as refused:
        complain(str(refused))
        return refused.code
    return 0


def _run(arguments: list[str], environ: Mapping[str, str]) -> None:
    if arguments in (["-V"], ["-Version"]):
        say("tc utility, iproute2-6.1.0")
        return
    if len(arguments) < 2 or arguments[0] not in ("qdisc", "q"):
        raise _RefusedError("the sandbox's tc knows only: tc qdisc add|change|replace|del|show dev eth0 ...", 1)
    verb, rest = arguments[1], arguments[2:]
    if not environ.get(RULES_VARIABLE):
        raise _RefusedError("RTNETLINK answers: Operation not permitted", 2)
    file = Path(environ[RULES_VARIABLE])
    there = read_delay(file)
    if verb in ("show", "ls", "list"):
        say(_shown(there))
        return
    if tuple(rest[:3]) != _ROOT:
        raise _RefusedError("the sandbox's tc knows only: dev eth0 root", 1)
    if verb in ("del", "delete"):
        if there is None:
            raise _RefusedError("Error: Cannot delete qdisc with handle of zero.", 2)
        _write(file, None)
    elif verb == "add" and there is not None:
        raise _RefusedError("Error: Exclusivity flag on, cannot modify.", 2)
    elif verb in ("add", "change", "replace"):
        _write(file, _netem(rest[3:]))
    else:
        raise _RefusedError(f'Command "{verb}" is unknown, try "tc qdisc help".', 255)


def _netem(arguments: list[str]) -> Delay:
    if arguments[:2] != ["netem", "delay"] or len(arguments) not in (3, 4):
        raise _RefusedError("the sandbox's tc knows only: netem delay TIME [JITTER]", 1)
    times = [_seconds(text) for text in arguments[2:]]
    return Delay(*times)


def _seconds(text: str) -> float:
    found = _TIME.fullmatch(text)
    if found is None:
        raise _RefusedError(f'Illegal "latency": "{text}"', 1)
    return float(found[1]) * _SECONDS[(found[2] or "")[:1]]


def read_delay(file: Path) -> Delay | None:
    """The delay in a pod's file."""
    times = _content(file).get(_DELAY_KEY)
    return Delay(*times) if times else None


def _content(file: Path) -> dict[str, list[float]]:
    try:
        content: dict[str, list[float]] = json.loads(file.read_text() or "{}")
    except FileNotFoundError:
        return {}
    return content


def _write(file: Path, delay: Delay | None) -> None:
    kept = {key: value for key, value in _content(file).items() if key != _DELAY_KEY}
    added = {} if delay is None else {_DELAY_KEY: [delay.seconds, delay.jitter_seconds]}
    file.write_text(json.dumps({**kept, **added}))


def _shown(delay: Delay | None) -> str:
    if delay is None:
        return "qdisc noqueue 0: dev eth0 root refcnt 2"
    jitter = f"  {delay.jitter_seconds * 1000:g}ms" if delay.jitter_seconds else ""
    return f"qdisc netem 8001: dev eth0 root refcnt 2 limit 1000 delay {delay.seconds * 1000:g}ms{jitter}"
