"""SUBSET as one types it: what may be said of the nodes that there are. `by_hand.subsets` says what it means."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from seatrial.shell.live_value import Asked, LiveValue
from seatrial.shell.matching import matching

if TYPE_CHECKING:
    from seatrial.by_hand.live.nodes import LiveNode

_PREFIXES = ("name", "ip", "state", "zone", "group", "label")
"""Those of `by_hand.subsets` that the cluster alone can complete."""


class NodesValue(LiveValue):
    """A SUBSET of the nodes, one of its words: `by_hand.subsets` says what they mean."""

    name = "subset"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """Numbers, names, all, states, zones, groups, addresses; labels after `label:`; of several the last."""
        nodes: Sequence[LiveNode] = asked.opened("nodes").all()
        head, comma, last = part.rpartition(",")
        before = head + comma
        prefix, colon, rest = last.partition(":")
        if colon and prefix in _PREFIXES:
            words = _words(prefix, nodes, asked)
            for word in matching(sorted(words), rest):
                yield CompletionItem(f"{before}{prefix}:{word}", help=words[word])
            return
        taken = {*asked.given, *head.split(",")}
        for word, meaning in _node_words(nodes, asked).items():
            if word.startswith(last) and word not in taken:
                yield CompletionItem(before + word, help=meaning)


def _of_node(prefix: str, node: "LiveNode", inventory: Mapping[str, Sequence[str]] | None) -> Sequence[str]:
    """The words by which a node is meant that stand after this prefix."""
    match prefix:
        case "name":
            return (node.name,)
        case "ip":
            return (*node.internal_ips, *node.external_ips)
        case "state":
            return ("up" if node.is_ready else "down",)
        case "zone":
            return (node.zone,) if node.zone else ()
        case "label":
            return [f"{key}={value}" for key, value in node.labels.items()]
    return _groups(node, inventory)


def _groups(node: "LiveNode", inventory: Mapping[str, Sequence[str]] | None) -> Sequence[str]:
    from seatrial.kube.objects import Node, ObjectMeta
    from seatrial.targets.nodes import NodeTarget, groups_in

    bare = Node(metadata=ObjectMeta(name=node.name, labels=dict(node.labels)))
    known = groups_in({node.name, *node.internal_ips, *node.external_ips}, inventory)
    return NodeTarget(node=bare, inventory_groups=known).given_groups


def _words(prefix: str, nodes: Sequence["LiveNode"], asked: Asked) -> Mapping[str, str]:
    """Every word of this prefix, and how many nodes it takes, or which one."""
    inventory = asked.shell.session.context.settings.inventory
    found: dict[str, list[str]] = {}
    for node in nodes:
        for word in _of_node(prefix, node, inventory):
            found.setdefault(word, []).append(node.name)
    return {word: names[0] if len(names) == 1 else _many(names) for word, names in found.items()}


def _many(nodes: Sequence[object]) -> str:
    return f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}"


def _node_words(nodes: Sequence["LiveNode"], asked: Asked) -> Mapping[str, str]:
    """All that may be said without a prefix, and what it means, in the order of how likely it is."""
    words: dict[str, str] = {}
    known = {node.name: node for node in nodes}
    for number, name in enumerate(asked.shell.numbered_nodes, start=1):
        words[str(number)] = f"{name}  {known[name].status if name in known else 'gone'}"
    for node in nodes:
        words[node.name] = "  ".join(filter(None, (node.status, node.zone, asked.age(node.created))))
    words["all"] = _many(nodes) if nodes else "every node"
    for prefix in ("state", "zone", "group", "ip"):
        for word, taken in _words(prefix, nodes, asked).items():
            words.setdefault(word, f"{prefix}, {taken}")
    words.update({f"{prefix}:": f"by {prefix}" for prefix in _PREFIXES})
    return words
