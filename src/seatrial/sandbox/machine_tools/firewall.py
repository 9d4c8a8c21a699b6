"""`nft` of a machine: tables that drop what the machine exchanges with addresses of the sandbox, and no other rules.

    nft -f -                        a table that drops by `ip saddr|daddr ADDRESS [tcp sport|dport PORT] drop`, or all
    nft list tables
    nft list|delete table inet NAME

What is dropped is dropped for the whole machine, its pods included: to other machines altogether, to the control plane
where the API server's address is named. Other ports than the API server's don't count, and what isn't of the sandbox
isn't reached by this. As on a real machine the rules are gone when it starts again. `iptables` refuses.
"""

import ipaddress
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from seatrial.sandbox.kubelet import control
from seatrial.sandbox.network.addresses import API_SERVER_PORT, MAX_NODES, AddressBlock
from seatrial.sandbox.network.reachability import CONTROL_PLANE

_STATE: Final = "firewall.json"
_DROP: Final = re.compile(r"(?:ip (?:saddr|daddr) (?P<network>\S+) )?(?:tcp (?:sport|dport) (?P<port>\d+) )?drop")
# What drops nothing here: the frame of a table, and what passes anyway.
_FRAME: Final = re.compile(r"|chain \w+ \{|\}|chain \w+ \{ type filter hook .* \}|.* return|ip6 .* drop")

Tables = Mapping[str, Sequence[int]]


class _RefusedError(Exception):
    """What can't be done, in one line."""


def main(name: str, arguments: Sequence[str]) -> int:
    """Carry out one command."""
    try:
        _run(name, list(arguments))
    except (_RefusedError, OSError, ValueError) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    return 0


def _run(name: str, arguments: list[str]) -> None:
    if name != "nft":
        raise _RefusedError("a sandbox's machine has nft instead")
    tables = _read()
    match arguments:
        case ["list", "tables"]:
            sys.stdout.write("".join(f"table inet {each}\n" for each in tables))
        case ["list", "table", "inet", table] if table in tables:
            sys.stdout.write(f"table inet {table} # drops what is exchanged with {list(tables[table])}\n")
        case ["delete", "table", "inet", table] if table in tables:
            _take_effect({each: drops for each, drops in tables.items() if each != table})
        case ["list" | "delete", "table", "inet", _]:
            raise _RefusedError("Error: No such file or directory")
        case ["-f", "-"]:
            _take_effect({**tables, **_parse(sys.stdin.read())})
        case _:
            raise _RefusedError("the sandbox's knows -f -, list tables, and list and delete of a table inet NAME")


def _parse(ruleset: str) -> Tables:
    """The table's name, and the numbers of the machines (and `CONTROL_PLANE`) whose traffic it drops."""
    first, *lines = [line.strip() for line in ruleset.strip().splitlines()]
    table = re.fullmatch(r"table inet (\w+) \{", first)
    if table is None:
        raise _RefusedError("a ruleset begins with table inet NAME {")
    dropped: set[int] = set()
    block = _block()
    for line in lines:
        if rule := _DROP.fullmatch(line):
            dropped |= _dropped_by(rule["network"], int(rule["port"]) if rule["port"] else None, block)
        elif not _FRAME.fullmatch(line):
            raise _RefusedError(f"the sandbox's machines can't do this: {line}")
    return {table[1]: sorted(dropped)}


def _dropped_by(network: str | None, port: int | None, block: AddressBlock) -> set[int]:
    if network is None:
        return {CONTROL_PLANE, *range(1, MAX_NODES + 1)}
    wanted = ipaddress.ip_network(network)
    if port is not None:
        serves = port == API_SERVER_PORT and ipaddress.ip_address(block.api_server) in wanted
        return {CONTROL_PLANE} if serves else set()
    nodes = {each for each in range(1, MAX_NODES + 1) if ipaddress.ip_address(block.node(each)) in wanted}
    return nodes | ({CONTROL_PLANE} if ipaddress.ip_address(block.api_server) in wanted else set())


def _block() -> AddressBlock:
    """The sandbox's addresses, of which the machine's own is one."""
    address: str = control.request(_directory(), {"status": {}})["address"]
    return AddressBlock(int(address.split(".")[1]))


def _directory() -> Path:
    return Path(os.environ["SEATRIAL_MACHINE"])


def _read() -> Tables:
    """The tables that there are; those of a machine that has started again since are gone."""
    try:
        state = json.loads((_directory() / _STATE).read_text())
    except FileNotFoundError:
        return {}
    return state["tables"] if state["machine"] == os.environ["SEATRIAL_MACHINE_PID"] else {}


def _take_effect(tables: Tables) -> None:
    dropped = sorted({each for drops in tables.values() for each in drops})
    answer = control.request(_directory(), {"firewall": dropped})
    if "error" in answer:
        raise _RefusedError(answer["error"])
    state = {"machine": os.environ["SEATRIAL_MACHINE_PID"], "tables": tables}
    draft = _directory() / f".{_STATE}"
    draft.write_text(json.dumps(state))
    draft.rename(_directory() / _STATE)
