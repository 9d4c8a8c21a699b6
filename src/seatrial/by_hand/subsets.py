"""Which nodes a person means by a word: SUBSET, as PowerfulSeal's shell calls it.

A word is a number of the last list, a node's name, one of its addresses, its machine's id, a state, a zone, a group, or
`all`; `zone:west` and the like say which of these, and commas join several. Each meaning is a matcher of the policy
language and is tried by the code that matches for policies. So a zone that is stopped by hand meets the guardrails that
a policy's zone meets, and only who says names (numbers, addresses, ids) has named those nodes exactly.

Between looking and doing, a node may join its zone. A filter keeps what is done to the nodes that were shown.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import msgspec

from seatrial.by_hand.list_numbers import number_in
from seatrial.by_hand.orders import Order
from seatrial.errors import MachineError, UsageError
from seatrial.kube.selectors import SelectorError, parse_label_selector
from seatrial.machines.driver import MachineState
from seatrial.policy.wording import counted, quote
from seatrial.runtime.context import Context
from seatrial.targets.node_selection import NodeTargetMatcher, takes
from seatrial.targets.nodes import NodeTarget, list_targets

ALL = "all"
PREFIXES = ("name", "ip", "id", "state", "zone", "group", "label")
"""What may stand before a colon. A word without one may mean any of these but a label; where several lead to the
same nodes, the first of them is what was meant."""

_BARE = PREFIXES[:-1]
_KNOWN_WITHOUT_CLOUD = ("name", "ip", "label")
_PROPERTIES = {"name": "name", "ip": "ip", "state": "state", "zone": "az", "group": "group"}
_EVERY_NODE = {"property": {"name": "name", "value": ".*"}}
_MOST_NAMED = 4
_MOST_SUGGESTED = 3


class Subset(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes that somebody means, by name; `said` is how, `matches` the same as matchers of a policy."""

    said: str
    matches: tuple[Mapping[str, Any], ...]
    nodes: tuple[str, ...]

    def order(
        self,
        verb: str,
        action: Mapping[str, Any],
        *,
        how: str = "",
        note: str = "",
        irrevocable: tuple[str, ...] = (),
    ) -> Order:
        """To do this action to exactly these nodes: "stop node-1, node-2 by force".

        A recorded policy says what was said, without the nodes that this led to on that day; unless nothing brings
        them back: others were not meant.
        """
        said = {"matches": list(self.matches), "actions": [action]}
        step = said if self._names_all else {**said, "filters": [_named(self.nodes)]}
        return Order(
            title=f"{verb} {self} {how}".rstrip(),
            step={"nodeAction": step},
            recorded=() if self._names_all or irrevocable else ({"nodeAction": said},),
            note=note,
            irrevocable=irrevocable,
        )

    @property
    def _names_all(self) -> bool:
        if len(self.matches) != len(self.nodes):
            return False
        by_name = [_named([name]) for name in self.nodes]
        return all(each in by_name for each in self.matches)

    def __str__(self) -> str:
        names = ", ".join(self.nodes) if len(self.nodes) <= _MOST_NAMED else counted(len(self.nodes), "node")
        return names if self._names_all else f"{self.said} ({names})"


class _Meaning(msgspec.Struct, frozen=True):
    """What a word may mean: in words, as a matcher, and the nodes and machines that this takes."""

    kind: str
    said: str
    matcher: Mapping[str, Any]
    targets: tuple[NodeTarget, ...]

    @property
    def uids(self) -> frozenset[str]:
        return _uids(self.targets)


async def find_subset(
    words: Sequence[str], context: Context, *, numbered: Sequence[str] = (), may_be_empty: bool = False
) -> Subset:
    """The nodes that any of these words means; `numbered` are the names of the last list, counted from 1.

    Who only looks may find none (`may_be_empty`).

    Raises:
        UsageError: there is no word, or one that means nothing here or several things.
        MachineError: the words mean no node, or the cloud did not answer, which alone may know what they mean.
        ClusterError: the API server refused or did not answer.
    """
    said = [each for word in words for each in _several(word)]
    if not said:
        raise UsageError(
            "which nodes? none were named, so none are hit",
            hint=f"a number of the last list, a name, an address, a zone, a group, up, down, or '{ALL}'",
        )
    found = await _meanings(said, context, numbered)
    meanings = [each for each in found if each.targets]
    if not meanings and not may_be_empty:
        raise MachineError(f"there is no such node: {', '.join(each.said for each in found)}")
    matches: list[Mapping[str, Any]] = []
    for each in meanings:
        if each.matcher not in matches:
            matches.append(each.matcher)
    return Subset(
        said=", ".join(dict.fromkeys(each.said for each in meanings)),
        matches=tuple(matches),
        nodes=tuple(sorted({target.name for each in meanings for target in each.targets})),
    )


async def _meanings(words: Sequence[str], context: Context, numbered: Sequence[str]) -> Sequence[_Meaning]:
    asks = any(_may_ask_the_cloud(word) for word in words)
    try:
        targets, notes = await list_targets(context, needs_machines=asks)
    except MachineError as error:
        # What the cloud says is not needed to know a node by its name.
        targets, notes = await list_targets(context, needs_machines=False)
        try:
            return [_Words(targets, notes, numbered, kinds=_KNOWN_WITHOUT_CLOUD).meaning(word) for word in words]
        except UsageError:
            raise error from None
    return [_Words(targets, notes, numbered).meaning(word) for word in words]


class _Words:
    """Understands words, as one of the `kinds`, on the nodes that there are; `notes` say which were left out."""

    def __init__(
        self,
        targets: Sequence[NodeTarget],
        notes: Sequence[str],
        numbered: Sequence[str],
        *,
        kinds: Collection[str] = PREFIXES,
    ) -> None:
        self._targets = targets
        self._notes = notes
        self._numbered = numbered
        self._kinds = kinds

    def meaning(self, word: str) -> _Meaning:
        """The one thing that a word means."""
        if (number := number_in(word)) is not None:
            return self._in_list(number)
        if word.lower() == ALL:
            return _Meaning(ALL, "all nodes", _EVERY_NODE, tuple(self._targets))
        prefix, value = _split(word)
        tried = [self._tried(kind, value) for kind in ([prefix] if prefix else _BARE) if kind in self._kinds]
        found = [each for each in tried if each is not None]
        if not found:
            self._complain_of(word)
        if len({each.uids for each in found}) > 1:
            both = " and ".join(f"{each.said} ({', '.join(target.name for target in each.targets)})" for each in found)
            choices = " or ".join(f"{each.kind}:{value}" for each in found)
            raise UsageError(f"{quote(word)} may mean {both}", hint=f"say {choices}")
        return found[0]

    def _in_list(self, number: int) -> _Meaning:
        if not 1 <= number <= len(self._numbered):
            there = f"the last list has {len(self._numbered)}" if self._numbered else "none were listed yet"
            raise UsageError(f"there is no node number {number}: {there}", hint="list them: nodes")
        name = self._numbered[number - 1]
        found = self._named(name)
        if found is None:
            raise UsageError(f"{name}, number {number} of the last list, is gone", hint="list them again: nodes")
        return found

    def _tried(self, kind: str, value: str) -> _Meaning | None:
        """What a word is as one of a kind; None where it is nothing. A state and a selector may take no node."""
        match kind:
            case "name":
                return self._named(value)
            case "id":
                return self._machine(value)
            case "label":
                return self._taken(kind, f"label {value}", {"labels": {"selector": _selector(value)}})
            case "state" if value.upper() in {*MachineState}:
                return self._taken(kind, f"state {value.upper()}", _property("state", [value.upper()]))
            case "state":
                return None
        said = value if kind == "ip" else f"{kind} {value}"
        meaning = self._taken(kind, said, _property(_PROPERTIES[kind], [value]))
        return meaning if meaning.targets else None

    def _named(self, name: str) -> _Meaning | None:
        found = self._taken("name", name, _named([name]))
        return self._taken("name", found.targets[0].name, _named([found.targets[0].name])) if found.targets else None

    def _machine(self, machine_id: str) -> _Meaning | None:
        """A node by its machine's id, which the policy language doesn't know: so it is called by its name."""
        found = [each for each in self._targets if each.machine and each.machine.id.lower() == machine_id.lower()]
        if len(found) != 1:
            return None
        name = found[0].name
        meaning = self._taken("id", name, _named([name]))
        if meaning.uids != _uids(found):
            raise UsageError(f"{counted(len(meaning.targets), 'machine')} are called {name}: they can't be told apart")
        return meaning

    def _taken(self, kind: str, said: str, matcher: Mapping[str, Any]) -> _Meaning:
        parsed = NodeTargetMatcher.model_validate(matcher)
        return _Meaning(kind, said, matcher, tuple(each for each in self._targets if takes(parsed, each)))

    def _complain_of(self, word: str) -> NoReturn:
        known = [each for node in self._targets for each in (node.name, *node.addresses, node.zone, *node.groups)]
        close = get_close_matches(word, dict.fromkeys(known), n=_MOST_SUGGESTED)
        hints = [f"did you mean {' or '.join(close)}?" if close else "list them: nodes, zones, groups", *self._notes]
        raise UsageError(
            f"no node, address, machine, state, zone or group is called {quote(word)}", hint="; ".join(hints)
        )


def _selector(value: str) -> str:
    if not value.strip():
        raise UsageError("label: alone selects nothing", hint="say which: label:disk=ssd")
    try:
        parse_label_selector(value)
    except SelectorError as error:
        raise UsageError(f"label:{value} is no label selector: {error.message}") from None
    return value


def _several(word: str) -> Sequence[str]:
    """What commas separate, but in a selector, where they are its own."""
    return [word] if _split(word)[0] == "label" else [each for each in word.split(",") if each]


def _may_ask_the_cloud(word: str) -> bool:
    prefix, _ = _split(word)
    return not (number_in(word) is not None or word.lower() == ALL or prefix in _KNOWN_WITHOUT_CLOUD)


def _split(word: str) -> tuple[str, str]:
    """A word's prefix, if it has one that is known, and the rest."""
    prefix, colon, rest = word.partition(":")
    return (prefix, rest) if colon and prefix in PREFIXES else ("", word)


def _named(names: Sequence[str]) -> Mapping[str, Any]:
    return _property("name", names)


def _property(name: str, values: Sequence[str]) -> Mapping[str, Any]:
    """A matcher or filter for exactly these values; guardrails read names in it, so hyphens stay as they are."""
    escaped = [re.escape(value).replace(r"\-", "-") for value in values]
    whole = f"^{escaped[0]}$" if len(escaped) == 1 else f"^({'|'.join(escaped)})$"
    return {"property": {"name": name, "value": whole}}


def _uids(targets: Iterable[NodeTarget]) -> frozenset[str]:
    return frozenset(each.node.metadata.uid for each in targets)
