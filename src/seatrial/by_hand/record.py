"""What was done by hand, written out as a policy: the deeds of a session become the steps of a scenario.

A scenario takes everything back at its end. So what was done after all had been taken back is a scenario of its own.

The text is for people (comments, keys in the order of the steps, blocks) and for the program alike: it is read back
and checked before anybody gets it.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import yaml

from seatrial.by_hand.deeds import Deed, Standing
from seatrial.policy.load import load_policy
from seatrial.policy.wording import counted, printable
from seatrial.policy.yaml12 import resolve_plain
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model

_WIDTH = 100
_LEAST_WAIT_SECONDS = 1.0
_STEP_MARGIN = " " * 6


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as text, how many deeds are its steps, and the titles of those that aren't.

    Those were stopped, or came to nothing.
    """

    text: str
    steps: int
    left_out: Sequence[str]


def recording_of(deeds: Sequence[Deed], *, name: str, cluster: str, now: datetime, waits: bool = True) -> Recording:
    """The deeds, first to last, as a policy with a scenario of that name, and as many as it takes numbered after it.

    With `waits`, what passed between two of them passes in the policy, too. What was never carried out (refused,
    stopped, nothing matched) is left out.

    Raises:
        InvalidPolicy: the name can't be a scenario's, or a step no policy can have.
    """
    kept = [deed for deed in deeds if _was_done(deed)]
    left_out = [deed.order.title for deed in deeds if not _was_done(deed)]
    head = {"config": {"runStrategy": {"runs": 1}}}
    text = "".join([*_header(cluster, now, left_out), _dumped(head), "scenarios:\n"])
    earlier: Deed | None = None
    for number, together in enumerate(_stretches(kept), start=1):
        text += "".join(_scenario(together, earlier, name=name if number == 1 else f"{name} {number}", waits=waits))
        earlier = together[-1] if together else None
    load_policy(text.encode(), model=policy_model(), name="what was recorded")
    return Recording(text=text, steps=len(kept), left_out=left_out)


def _was_done(deed: Deed) -> bool:
    if deed.outcome is None:
        return False
    if deed.outcome.verdict is Verdict.INCONCLUSIVE:
        # What changed nothing came to nothing; what was stopped half-way was taken back at once.
        return deed.standing in {Standing.STANDS, Standing.NOT_UNDONE}
    return True


def _stretches(deeds: Sequence[Deed]) -> list[list[Deed]]:
    """The deeds, parted where all that had been changed was taken back; at least one stretch."""
    stretches: list[list[Deed]] = [[]]
    for deed in deeds:
        changes = [each for each in stretches[-1] if each.standing is not Standing.FOR_GOOD]
        if changes and all(_was_undone_before(each, deed) for each in changes):
            stretches.append([])
        stretches[-1].append(deed)
    return stretches


def _was_undone_before(earlier: Deed, later: Deed) -> bool:
    return earlier.undone is not None and earlier.undone <= later.begun


def _scenario(deeds: Sequence[Deed], earlier: Deed | None, *, name: str, waits: bool) -> Iterator[str]:
    """The deeds of one stretch; `earlier` is what was done before it."""
    yield textwrap.indent(_dumped([{"name": name}]), "  ")
    yield f"    steps:{'' if deeds else ' []'}\n"
    for index, deed in enumerate(deeds):
        if waits and earlier and (seconds := _seconds_between(earlier, deed)) > _LEAST_WAIT_SECONDS:
            yield _item({"wait": {"seconds": round(seconds)}})
        order = deed.order
        is_early = any(_was_undone_before(deed, later) for later in deeds[index + 1 :])
        undone = "taken back by hand before the next; a scenario takes back at its end" if is_early else ""
        for comment in (order.title, order.note, undone):
            yield from _comment(comment, margin=_STEP_MARGIN)
        yield from map(_item, order.recorded or (order.step,))
        earlier = deed


def _seconds_between(earlier: Deed, later: Deed) -> float:
    return (later.begun - (earlier.ended or earlier.begun)).total_seconds()


def _header(cluster: str, now: datetime, left_out: Sequence[str]) -> Iterator[str]:
    yield from _comment(f"Recorded from what was done by hand, {now:%Y-%m-%d %H:%M %Z}, on {cluster}.")
    if left_out:
        titles = "; ".join(left_out)
        yield from _comment(f"Left out, as stopped or come to nothing: {counted(len(left_out), 'command')} ({titles}).")


def _comment(text: str, *, margin: str = "") -> Iterator[str]:
    begin = f"{margin}# "
    words = printable(" ".join(text.split()))
    yield from (f"{line}\n" for line in textwrap.wrap(words, _WIDTH, initial_indent=begin, subsequent_indent=begin))


def _item(step: Mapping[str, Any]) -> str:
    return textwrap.indent(_dumped([_as_data(step)]), _STEP_MARGIN)


def _dumped(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _as_data(value: Any) -> Any:
    """Plain lists and dicts, which is what is written without tags."""
    if isinstance(value, Mapping):
        return {str(key): _as_data(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_as_data(each) for each in value]
    return value


class _Dumper(yaml.SafeDumper):
    """YAML as people write it, which means the same by YAML 1.2."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 -- PyYAML's
        """Items of a list stand further in than the key that they belong to."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        """What occurs twice is written twice."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif not isinstance(resolve_plain(text), str):  # PyYAML itself knows YAML 1.1, where 1e3 and 0o17 are texts
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
