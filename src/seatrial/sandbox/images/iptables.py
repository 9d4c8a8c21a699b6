"""`iptables`: as much of it as redirects a pod's ports, which is what chaos tools put into init containers.

    iptables -t nat -A PREROUTING -p tcp --dport 8080 -j REDIRECT --to-port 10000

Rules are written to a file of the pod's that its kubelet reads when the next container starts: from then on, what comes
to the pod's address at one port goes to the other, while programs inside reach each other as before, with or without
`! -i lo`, which says so. A rule that is made when the containers run already changes nothing, and that is said.
NET_ADMIN is needed, as everywhere.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial.sandbox.images.serving import complain, say

RULES_VARIABLE = "SEATRIAL_POD_NETWORK"
"""Where the pod's rules are; set for containers that may change them."""

_VERSION = "iptables v1.8.10 (nf_tables)"


class _RefusedError(Exception):
    """What can't be done, in one line, and the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Carry out one command."""
    try:
        return _run(list(argv[1:]), environ)
    except _RefusedError as refused:
        complain(str(refused))
        return refused.code


def _run(arguments: list[str], environ: Mapping[str, str]) -> int:
    if "--version" in arguments or "-V" in arguments:
        say(_VERSION)
        return 0
    parser = argparse.ArgumentParser(prog="iptables", add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-t", "--table", default="filter")
    for flag, name in (("-A", "--append"), ("-D", "--delete"), ("-I", "--insert"), ("-C", "--check")):
        parser.add_argument(flag, name)
    for flag, name in (("-L", "--list"), ("-F", "--flush"), ("-S", "--list-rules")):
        parser.add_argument(flag, name, nargs="?", const="PREROUTING")
    parser.add_argument("-p", "--protocol", default="tcp")
    parser.add_argument("-m", "--match", action="append")
    parser.add_argument("-i", "--in-interface")
    parser.add_argument("-j", "--jump")
    parser.add_argument("--dport", "--destination-port", type=int, dest="port")
    parser.add_argument("--to-port", "--to-ports", type=int, dest="to")
    for flag in ("-w", "--wait", "-n", "--numeric", "-v", "--verbose"):
        parser.add_argument(flag, action="store_true")
    try:
        given = parser.parse_args(_without_loopback(arguments))
    except (argparse.ArgumentError, SystemExit) as error:
        raise _RefusedError(f"{_VERSION}: the sandbox can't do this: {error}", 2) from error
    file = environ.get(RULES_VARIABLE)
    if not file:
        denied = "can't initialize iptables table `nat': Permission denied (you must be root)"
        raise _RefusedError(f"{_VERSION}: {denied}\nPerhaps the container lacks the capability NET_ADMIN.", 4)
    return _change(Path(file), given)


def _without_loopback(arguments: list[str]) -> list[str]:
    """The arguments without `! -i lo`: what a pod's programs send each other is never redirected here."""
    for at in range(len(arguments) - 2):
        if arguments[at] == "!" and arguments[at + 1] in ("-i", "--in-interface") and arguments[at + 2] == "lo":
            return arguments[:at] + arguments[at + 3 :]
    return arguments


def _change(file: Path, given: argparse.Namespace) -> int:
    rules = read_rules(file)
    if given.list or given.list_rules:
        for port, to in rules.items():
            say(f"-A PREROUTING -p tcp -m tcp --dport {port} -j REDIRECT --to-ports {to}")
        return 0
    if given.flush:
        _write(file, {})
        return 0
    chain = given.append or given.insert or given.delete or given.check
    is_redirection = given.table == "nat" and chain == "PREROUTING" and given.jump == "REDIRECT"
    if not (is_redirection and given.protocol == "tcp" and given.port and given.to):
        why = "the sandbox knows only -t nat -A PREROUTING -p tcp --dport PORT -j REDIRECT --to-port PORT"
        raise _RefusedError(f"{_VERSION}: {why}", 2)
    if given.check or given.delete:
        if rules.get(given.port) != given.to:
            raise _RefusedError("iptables: Bad rule (does a matching rule exist in that chain?).", 1)
        if given.delete:
            _write(file, {port: to for port, to in rules.items() if port != given.port})
        return 0
    # The first rule that fits wins: an appended one comes after those that there are.
    _write(file, {**rules, given.port: given.to} if given.insert else {given.port: given.to, **rules})
    return 0


def read_rules(file: Path) -> dict[int, int]:
    """The redirections in a pod's file: from which port to which; none if there is no such file."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        return {}
    # What else is in there is `tc`'s.
    return {int(port): int(to) for port, to in json.loads(text or "{}").items() if port.isdigit()}


def _write(file: Path, rules: Mapping[int, int]) -> None:
    there = json.loads(file.read_text() or "{}") if file.exists() else {}
    others = {key: value for key, value in there.items() if not key.isdigit()}
    file.write_text(json.dumps({**rules, **others}))
