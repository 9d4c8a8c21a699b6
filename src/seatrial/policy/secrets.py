"""Texts without the secrets that stand in them: policies, and what somebody else answered.

Every run keeps its policy, so this knows YAML but no models: those of values that are secrets are in `secret_sources`.
"""

import re
from collections.abc import Iterable, Iterator

import yaml

HIDDEN = "***"

_IN_CHANNELS = frozenset({"url", "urls", "proxy", "secret", "value"})
_CREDENTIAL = re.compile(r"authori[sz]ation|cookie|token|secret|password|passwd|api-?key|signature", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@:]*:?[^/\s@]*@")
_NOTIFY = re.compile(r"^( *)notify:.*\n(?:(?:\1 .*|\1-.*| *#.*| *)(?:\n|$))*", re.MULTILINE)
_COMMENT = re.compile(r"^( *#).*$", re.MULTILINE)
_SHORTEST = 4


def redacted(policy_text: str) -> str:
    """A policy's text with `***` for its secrets, and all else as it was written.

    Hidden are the URLs, proxies, secrets and headers of `config.notify`, and comments there (what is switched off is a
    secret still); elsewhere values of headers whose name speaks of credentials, and users and passwords in URLs.
    """
    try:
        root = yaml.compose(policy_text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return HIDDEN
    hidden = {node.start_mark.index: node.end_mark.index for node in _secrets_in(root)}
    for start, end in sorted(hidden.items(), reverse=True):
        line_end = "\n" if policy_text[start:end].endswith("\n") else ""
        policy_text = f'{policy_text[:start]}"{HIDDEN}"{line_end}{policy_text[end:]}'
    return _USER_INFO.sub(f"{HIDDEN}@", _NOTIFY.sub(_without_comments, policy_text))


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """A text of somebody else's without these secrets, which it may repeat."""
    for each in sorted(secrets, key=len, reverse=True):
        if len(each) >= _SHORTEST:
            text = text.replace(each, HIDDEN)
    return _USER_INFO.sub(f"{HIDDEN}@", text)


def _without_comments(found: re.Match[str]) -> str:
    return _COMMENT.sub(rf"\1 {HIDDEN}", found[0])


def _secrets_in(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """The scalars that are secrets, without recursion: aliases may go round in circles."""
    waiting: list[tuple[yaml.Node | None, bool]] = [(root, False)]
    seen: set[tuple[int, bool]] = set()
    while waiting:
        node, in_channel = waiting.pop()
        if (id(node), in_channel) in seen:
            continue
        seen.add((id(node), in_channel))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(each, in_channel) for each in node.value]
        elif isinstance(node, yaml.MappingNode):
            named = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
            name = named.get("name")
            if isinstance(name, yaml.ScalarNode) and _CREDENTIAL.search(name.value):
                yield from _scalars(named.get("value"))
            for key, value in named.items():
                if in_channel and key in _IN_CHANNELS:
                    yield from _scalars(value)
                waiting.append((value, in_channel or key == "notify"))


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _scalars(each)
