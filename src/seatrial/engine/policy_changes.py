"""How one policy differs from another, in words: what somebody who edits a running policy wants to see confirmed."""

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.policy.models import Policy
from seatrial.policy.wording import quote

_LONGEST = 40


def changes_between(before: Policy, after: Policy, *, seed: str) -> tuple[str, ...]:
    """What changed, a line each; `seed` is the run's, which stays."""
    return (*_config_changes(before, after, seed), *_scenario_changes(before, after))


def _config_changes(before: Policy, after: Policy, seed: str) -> Iterator[str]:
    old, new = _plain(before.config), _plain(after.config)
    if old.pop("seed", None) != new.pop("seed", None):
        yield f"config.seed is ignored until the next run: this one has the seed {seed}"
    yield from _differences(old, new, "config")


def _scenario_changes(before: Policy, after: Policy) -> Iterator[str]:
    old = {each.name: _plain(each) for each in before.scenarios}
    new = {each.name: _plain(each) for each in after.scenarios}
    yield from (f"scenario {quote(name)} added" for name in new if name not in old)
    yield from (f"scenario {quote(name)} removed" for name in old if name not in new)
    for name, said in new.items():
        was = old.get(name, said)
        if keys := [key for key, value in said.items() if value != was.get(key)]:
            yield f"scenario {quote(name)} changed: {', '.join(keys)}"
    if [name for name in old if name in new] != [name for name in new if name in old]:
        yield "the scenarios run in another order"
    if not new:
        yield "no scenario is left: waiting until there is one"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in new.items():
        before, place = old.get(key), f"{path}.{key}"
        if isinstance(value, dict) and isinstance(before, dict):
            yield from _differences(before, value, place)
        elif value != before:
            shown = _shown(before), _shown(value)
            yield f"{place} changed" if "" in shown else f"{place}: {shown[1]}, was {shown[0]}"


def _shown(value: Any) -> str:
    """A plain value; nothing for one that would fill the line, or is no single one."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if isinstance(value, int | float | str) and len(text) <= _LONGEST else ""


def _plain(model: Any) -> dict[str, Any]:
    said: dict[str, Any] = model.model_dump(mode="json", by_alias=True)
    return said
