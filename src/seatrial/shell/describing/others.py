"""Anything else that the API server keeps: what every object has, its spec and status as they are, its events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import yaml

from seatrial.kube.client import Client
from seatrial.kube.objects import Condition, ObjectMeta
from seatrial.shell.describing.account import Account, Fact, Section, facts
from seatrial.shell.describing.related import condition_facts, event_facts, meta_pairs, owner_chain

_TOLD_APART = frozenset({"apiVersion", "kind", "metadata"})
_NOTHING: tuple[Any, ...] = (None, "", {}, [])
_MOST_LINES = 60


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


async def other_account(kind: str, body: Mapping[str, Any], cluster: Client, *, now: datetime) -> Account:
    """What there is to say about an object of any kind."""
    meta = msgspec.convert(body["metadata"], ObjectMeta)
    chain = " of ".join(f"{owner.kind}/{owner.name}" for owner in await owner_chain(meta, cluster))
    name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
    sections = [Section("", facts(("owner", chain), *meta_pairs(meta, now=now)))]
    for key, value in body.items():
        if key not in _TOLD_APART and value not in _NOTHING:
            sections.append(Section(key, _lines(key, value, is_secret=kind == "Secret")))
    sections.append(Section("conditions", condition_facts(_conditions(body.get("status")), now=now, good={})))
    sections.append(Section("events", await event_facts(kind, meta, cluster, now=now)))
    return Account(f"{kind} {name}", "", sections)


def as_yaml(body: Any) -> str:
    """An object as YAML, its keys in their order; what a terminal would act on is escaped."""
    dumped: str = yaml.dump(body, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=1000)
    return dumped


def _lines(key: str, value: Any, *, is_secret: bool) -> list[Fact]:
    if is_secret and key in {"data", "stringData"}:
        # Base64 is a third longer than what it holds.
        return [Fact(name, f"about {len(str(text)) * 3 // 4} bytes") for name, text in sorted(value.items())]
    if key == "status" and _conditions(value):
        value = {name: each for name, each in value.items() if name != "conditions"}
    if not isinstance(value, dict | list):
        return [Fact("", str(value).lower() if isinstance(value, bool) else str(value))]
    lines = as_yaml(value).splitlines() if value else []
    found = [Fact("", line) for line in lines[:_MOST_LINES]]
    more = len(lines) - _MOST_LINES
    return [*found, Fact("", f"and {more} more lines: -o yaml has all")] if more > 0 else found


def _conditions(status: Any) -> list[Condition]:
    """The conditions of a status; none where it has none that can be understood."""
    found = status.get("conditions") if isinstance(status, dict) else None
    try:
        return msgspec.convert(found or [], list[Condition])
    except msgspec.ValidationError:
        return []  # a custom resource may call anything its conditions
