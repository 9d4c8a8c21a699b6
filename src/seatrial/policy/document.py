"""A YAML file as plain values, and where in the file each of them stands.

What is wrong comes as `Flaw`s. `read_document` goes on after one where it can, so that a file's flaws can be shown
together with what is wrong about its values; `load` does so. `tree` does the reading.
"""

import re
from typing import Any

import yaml

from seatrial.policy.syntax_errors import explain_syntax_error
from seatrial.policy.tree import Flaw, KeyPath, Node, Place, Refusal, TreeBuilder

LARGEST_BYTES = 2 * 1024 * 1024

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class UnreadableDocument(Exception):  # noqa: N818 -- a name for what it is; `problems` makes the user's error of it
    """The text is no YAML document: there are no values to look at."""

    def __init__(self, flaw: Flaw, lines: list[str]) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw
        self.lines = lines


class Document:
    """What was read: `value` is made of plain dicts, lists and scalars."""

    def __init__(self, root: Node, lines: list[str], flaws: list[Flaw]) -> None:
        self.value = root.value
        self.lines = lines
        self.flaws = flaws
        self._root = root

    def place_of(self, path: KeyPath, *, at_key: bool = False) -> Place:
        """Where the value at a path stands, or its key; for a path that isn't there, its nearest parent."""
        node, key_place = self._root, self._root.place
        for part in path:
            if isinstance(part, str) and part in node.children:
                key_place, node = node.children[part]
            elif isinstance(part, int) and part < len(node.items):
                node = node.items[part]
                key_place = node.place
            else:
                break
        return key_place if at_key else node.place

    def value_at(self, path: KeyPath) -> Any:
        """The value at a path that leads somewhere."""
        value = self.value
        for part in path:
            value = value[part]
        return value


def read_document(source: bytes) -> Document:
    """Read the one YAML document that a file holds; raises `UnreadableDocument`."""
    text = _decode(source)
    lines = _split(text)
    builder = TreeBuilder()
    try:
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            builder.take(event)
    except yaml.YAMLError as error:
        place, message = explain_syntax_error(error, lines)
        raise UnreadableDocument(Flaw(Place(*place), message), lines) from None
    except Refusal as refusal:
        raise UnreadableDocument(refusal.flaw, lines) from None
    if builder.root is None or builder.root.value is None:
        flaw = Flaw(Place(1, 1), "the file is empty; a policy has at least the key 'scenarios'")
        raise UnreadableDocument(flaw, lines)
    return Document(builder.root, lines, builder.flaws)


def _decode(source: bytes) -> str:
    if len(source) > LARGEST_BYTES:
        message = f"the file is larger than {LARGEST_BYTES // 1024 // 1024} MiB, the most that a policy may have"
        raise UnreadableDocument(Flaw(Place(1, 1), message), [])
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = source[: error.start].decode("utf-8-sig", errors="replace")
        message = f"the byte 0x{source[error.start]:02x} isn't UTF-8; save the file as UTF-8"
        lines = _split(source.decode("utf-8-sig", errors="replace"))
        raise UnreadableDocument(Flaw(_end_of(before), message), lines) from None
    found = _UNPRINTABLE.search(text)
    if found:
        message = f"the control character U+{ord(found[0]):04X} isn't allowed in YAML"
        raise UnreadableDocument(Flaw(_end_of(text[: found.start()]), message), _split(text))
    return text


def _end_of(text: str) -> Place:
    *full, last = _LINE_BREAK.split(text)
    return Place(len(full) + 1, len(last) + 1)


def _split(text: str) -> list[str]:
    """The lines as libyaml counts them; `str.splitlines` breaks at more characters."""
    lines = _LINE_BREAK.split(text)
    return lines if lines[-1] else lines[:-1]
