"""What a store leaves out: secrets in policies, command lines and events.

`policy.secrets` knows those of notifications and headers. Here those of what a policy hands on: the values of keys
and variables whose names say that they are secret, what a Kubernetes Secret holds, also in manifests within a text,
and credentials in text (`Bearer ...`, `password=...`, `--token ...`). The rest of a policy stays as it was written,
comments included. What nobody would know for a secret is kept: that's why the file is for its owner's eyes only.
"""

import re
import shlex
from collections.abc import Iterator, Sequence

import yaml

from seatrial.policy.secrets import HIDDEN, redacted

_SECRET_NAME = re.compile(
    r"authorization|cookie|passw(or)?d|passphrase|secret|token|api[-_.]?key|access[-_.]?key|private[-_.]?key|credential",
    re.IGNORECASE,
)
# Names that such a word stands in and that hold no secret: references to one, and how long a token lives.
_NO_SECRET = re.compile(r"secret_?name|secret_?ref|key_?ref|token_?path|expiration|audience|mount", re.IGNORECASE)
_WORD = r"(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|private|secret)[-_]?key)"
_BEFORE = r"[\w-]{0,40}"  # no more, so that long texts don't take long
_QUOTE = r"\\{0,8}[\"']"
_IN_TEXT = re.compile(
    r"""(?P<url>\b[a-z][a-z0-9+.-]{0,20}://)[^/\s"'@\\]*@"""
    rf"""|(?P<header>(?<![\w-])(?:authorization|cookie|x-{_BEFORE}{_WORD}):\s+(?:(?:bearer|basic|token)\s+)?)[^\s"'\\]+"""
    r"""|(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"""
    rf"""|(?P<flag>(?<![\w-])--(?=[a-z]){_BEFORE}{_WORD}(?:\s+|{_QUOTE},\s*{_QUOTE}))(?!-)[^\s"'&\\]+"""
    rf"""|(?P<name>{_WORD}=)[^\s"'&\\]+"""
    rf"""|(?P<key>{_WORD}{_QUOTE}\s*:\s*{_QUOTE})[^"'\\]+""",
    re.IGNORECASE,
)
_SIGNS = (
    "@", "authorization", "cookie", "bearer", "basic", "passw", "passphrase", "secret", "token",
    "_key", "-key", "apikey", "accesskey", "privatekey",
)  # fmt: skip
_SECRET_FLAG = re.compile(f"--{_BEFORE}{_WORD}", re.IGNORECASE)
_SECRET_FLAGS = {"--ssh-password", "--store"}


def without_secrets(text: str) -> str:
    """A text without the credentials that stand in it."""
    lowered = text.lower()
    if not any(each in lowered for each in _SIGNS):
        return text  # as most events are: ten times as quick
    return _IN_TEXT.sub(_replacement, text)


def redact_arguments(arguments: Sequence[str]) -> str:
    """A command line, as a shell reads it, without secrets."""
    shown, is_next = [], False
    for each in arguments:
        flag, equals, _ = each.partition("=")
        if is_next or (equals and flag in _SECRET_FLAGS):
            shown.append(HIDDEN if is_next else f"{flag}={HIDDEN}")
            is_next = False
            continue
        is_next = each in _SECRET_FLAGS
        shown.append(without_secrets(each))
    return " ".join(each if HIDDEN in each else shlex.quote(each) for each in shown)


def redact_policy(text: str) -> tuple[str, int]:
    """A policy without its secrets, otherwise as it was written, and how many there were."""
    without = _redact_document(redacted(text))
    return without, without.count(HIDDEN) - text.count(HIDDEN)


def _redact_document(text: str) -> str:
    for start, end, replacement in sorted(set(_spans(text)), reverse=True):
        text = text[:start] + replacement + text[end:]
    return without_secrets(text)


def _replacement(found: re.Match[str]) -> str:
    """What stands before a secret, and what stands for it; a URL goes on behind it."""
    return f"{found[found.lastgroup or 0]}{HIDDEN}{'@' if found['url'] else ''}"


Span = tuple[int, int, str]


def _spans(text: str) -> Iterator[Span]:
    """The parts of a YAML text that are secrets: where each begins and ends, and what stands there instead."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return
    # PyYAML's C parser counts characters, without a byte order mark.
    shift = 1 if text.startswith("\ufeff") else 0
    for each in documents:
        if each is not None:
            for start, end, replacement in _in_node(each, text[shift:]):
                yield start + shift, end + shift, replacement


def _in_node(node: yaml.Node, text: str) -> Iterator[Span]:
    match node:
        case yaml.MappingNode():
            yield from _in_mapping(node, text)
        case yaml.SequenceNode():
            for before, each in zip([None, *node.value], node.value, strict=False):
                yield from _all_of(each) if _SECRET_FLAG.fullmatch(_text_of(before)) else _in_node(each, text)
        case yaml.ScalarNode():
            yield from _in_scalar(node, text)


def _in_mapping(node: yaml.MappingNode, text: str) -> Iterator[Span]:
    plain = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    named = _text_of(plain.get("name"))
    is_secret_object = _text_of(plain.get("kind")) == "Secret"
    for key, value in node.value:
        name = _text_of(key)
        is_data = is_secret_object and name in {"data", "stringData"}
        # A mapping says where a secret is to be had: `secret: {secretName: ...}`, `password: {env: ...}`.
        is_told = not isinstance(value, yaml.MappingNode) and _is_secret(named if name == "value" else name)
        if is_data or is_told:
            yield from _all_of(value)
        else:
            yield from _in_node(value, text)


def _all_of(node: yaml.Node) -> Iterator[Span]:
    """Every scalar in a part of the document."""
    match node:
        case yaml.MappingNode():
            for _, value in node.value:
                yield from _all_of(value)
        case yaml.SequenceNode():
            for each in node.value:
                yield from _all_of(each)
        case yaml.ScalarNode() if node.value:
            yield _whole(node, HIDDEN)


def _in_scalar(node: yaml.ScalarNode, text: str) -> Iterator[Span]:
    """A text that is a document itself, such as manifests, is looked through."""
    if "\n" in node.value or node.value.lstrip().startswith("{"):
        changed = _redact_document(node.value)
        if changed != node.value:
            yield from _inner(node, changed, text)


def _inner(node: yaml.ScalarNode, changed: str, text: str) -> Iterator[Span]:
    start, end = node.start_mark.index, node.end_mark.index
    if node.style != "|":
        line_end = "\n" if node.style == ">" else ""
        yield start, end, yaml.safe_dump(changed, default_style='"', width=1 << 30).strip() + line_end
        return
    header, _, body = text[start:end].partition("\n")
    first = next((line for line in body.splitlines() if line.strip()), "")
    indent = " " * (len(first) - len(first.lstrip(" ")))
    lines = [f"{indent}{line}" if line else "" for line in changed.splitlines()]
    yield start, end, "\n".join([header, *lines, ""])


def _whole(node: yaml.ScalarNode, replacement: str) -> Span:
    start, end = node.start_mark.index, node.end_mark.index
    if node.style in {"|", ">"}:
        return start, end, f'"{replacement}"\n'
    return start, end, f'"{replacement}"'


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET.search(name)


def _text_of(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""
