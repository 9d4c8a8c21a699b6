"""The tree of a YAML document: values, their places in the text, and what is wrong with it as YAML.

PyYAML's C parser delivers events; `TreeBuilder` builds the tree from them rather than PyYAML, because PyYAML's values
have no places, its scalars are YAML 1.1, a repeated key silently wins over the first, a deeply nested file
overflows its stack, and a few lines of anchors and aliases can fill the memory.
"""

from typing import Any, NamedTuple

from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from seatrial.policy import yaml12
from seatrial.policy.wording import describe, quote

DEEPEST_NESTING = 100
MOST_VALUES = 100_000

KeyPath = tuple[str | int, ...]


class Place(NamedTuple):
    """A position in the text, counted from 1 as editors do; columns count characters."""

    line: int
    column: int


class Flaw(NamedTuple):
    """What is wrong at a place of the file, whatever the values mean."""

    place: Place
    message: str
    path: KeyPath = ()


class Node:
    """A value, its place, and its children's nodes with the places of their keys."""

    __slots__ = ("children", "is_complete", "items", "place", "size", "value")

    def __init__(self, value: Any, place: Place) -> None:
        self.value = value
        self.place = place
        self.children: dict[str, tuple[Place, Node]] = {}
        self.items: list[Node] = []
        self.size = 1
        self.is_complete = True


class Refusal(Exception):  # noqa: N818 -- stops the reading; the user sees an `InvalidPolicy`
    """Nothing sensible can be read on from here."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw


class _Frame:
    """A map or list that is being read."""

    __slots__ = ("key", "key_place", "merges", "node", "path")

    def __init__(self, node: Node, path: KeyPath) -> None:
        self.node = node
        self.path = path
        self.key: str | None = None
        self.key_place: Place | None = None  # set while a key waits for its value
        self.merges: list[Node] = []


class TreeBuilder:
    """Builds the tree, event by event, without recursion; `root` is there after the last one."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.flaws: list[Flaw] = []
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0
        self._values = 0

    def take(self, event: Event) -> None:
        """Take the next event of the parser."""
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise Refusal(Flaw(_place(event), "a second document begins here; a policy file holds one"))
        elif isinstance(event, CollectionEndEvent):
            self._close()
        elif isinstance(event, AliasEvent):
            self._put(self._resolve_alias(event))
        elif isinstance(event, CollectionStartEvent):
            self._open(event)
        elif isinstance(event, ScalarEvent):
            self._count(event)
            self._put(self._anchored(event, Node(self._scalar(event), _place(event))))

    def _open(self, event: CollectionStartEvent) -> None:
        if len(self._frames) >= DEEPEST_NESTING:
            message = f"more than {DEEPEST_NESTING} maps and lists lie inside each other here"
            raise Refusal(Flaw(_place(event), message))
        self._count(event)
        is_map = isinstance(event, MappingStartEvent)
        if event.tag not in {None, "!", yaml12.MAP if is_map else yaml12.SEQ}:
            self._complain(_place(event), f"the tag {quote(yaml12.short_tag(event.tag))} has no meaning here")
        node = self._anchored(event, Node({} if is_map else [], _place(event)))
        node.is_complete = False
        self._frames.append(_Frame(node, self._path()))

    def _close(self) -> None:
        frame = self._frames.pop()
        for merged in frame.merges:
            _merge(frame.node, merged)
        frame.node.is_complete = True
        self._put(frame.node)

    def _put(self, node: Node) -> None:
        """Hand a finished node to the list or map that it stands in."""
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        if isinstance(frame.node.value, list):
            frame.node.items.append(node)
            frame.node.value.append(node.value)
            frame.node.size += node.size
        elif frame.key_place is None:
            self._put_key(frame, node)
        else:
            self._put_value(frame, node)

    def _put_key(self, frame: _Frame, node: Node) -> None:
        frame.key_place = node.place
        frame.key = node.value if isinstance(node.value, str) else None
        if frame.key is None:
            self._complain(node.place, f"a key must be text, found {describe(node.value)}; put it in quotes")
        elif frame.key in frame.node.children:
            key, frame.key = frame.key, None
            first = frame.node.children[key][0]
            message = f"the key {quote(key)} stands here a second time, after line {first.line}, column {first.column}"
            self._complain(node.place, message)

    def _put_value(self, frame: _Frame, node: Node) -> None:
        key, place = frame.key, frame.key_place
        frame.key = frame.key_place = None
        if key is None or place is None:  # the key was refused: so is what it holds
            return
        if key == "<<" and _is_mergeable(node):
            frame.merges += node.items or [node]
            return
        frame.node.children[key] = (place, node)
        frame.node.value[key] = node.value
        frame.node.size += node.size

    def _scalar(self, event: ScalarEvent) -> Any:
        text = event.value
        if "\0" in text:
            self._complain(_place(event), "a NUL character has no place in a policy")
        try:
            if event.tag is not None:
                return text if event.tag == "!" else yaml12.resolve_tagged(text, event.tag)
            return yaml12.resolve_plain(text) if event.implicit[0] else text
        except ValueError as error:
            self._complain(_place(event), str(error))
            return text

    def _anchored(self, event: NodeEvent, node: Node) -> Node:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _resolve_alias(self, event: AliasEvent) -> Node:
        alias = quote(f"*{event.anchor}")
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise Refusal(Flaw(_place(event), f"the alias {alias} stands for no anchor before it"))
        if not node.is_complete:
            raise Refusal(Flaw(_place(event), f"the alias {alias} lies inside what it stands for"))
        self._count(event, node.size)
        return node

    def _count(self, event: Event, values: int = 1) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            message = f"with its aliases written out, the file has more than {MOST_VALUES:,} values"
            raise Refusal(Flaw(_place(event), message))

    def _complain(self, place: Place, message: str) -> None:
        self.flaws.append(Flaw(place, message, self._path()))

    def _path(self) -> KeyPath:
        """The path of the map or list being read, or of the value that its last key waits for."""
        if not self._frames:
            return ()
        frame = self._frames[-1]
        if isinstance(frame.node.value, list):
            return (*frame.path, len(frame.node.value))
        return frame.path if frame.key is None else (*frame.path, frame.key)


def _merge(node: Node, merged: Node) -> None:
    """What `<<: *anchor` means: the keys of another map, where the map has none of its own.

    YAML 1.1 had it, YAML 1.2 leaves it out, and people use it.
    """
    for key, (place, child) in merged.children.items():
        if key not in node.children:
            node.children[key] = (place, child)
            node.value[key] = child.value
            node.size += child.size


def _is_mergeable(node: Node) -> bool:
    maps = node.items or [node]
    return all(isinstance(each.value, dict) for each in maps)


def _place(event: Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
