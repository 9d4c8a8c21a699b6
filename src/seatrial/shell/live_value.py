"""A value of a command's argument of which the live view knows what there is: the base of those that complete.

Completion looks at the live view and nowhere else: it asks the API server for nothing while somebody types. A kind
that nobody has looked at yet is opened in the background, and completes from the next key on; one that may not be
listed completes to nothing. Whether what was typed exists is for the command to find out.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from seatrial.shell.matching import MOST

if TYPE_CHECKING:
    from seatrial.by_hand.live.cluster import LiveCluster
    from seatrial.by_hand.live.kind import LiveKind
    from seatrial.shell.shell import Shell


class LiveValue(click.ParamType[Any]):
    """A value of which the live view knows what there is; what was typed stays as it is."""

    name = "value"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """What may be meant; nothing before the cluster is reached."""
        connection = ctx.obj.connection if ctx.obj is not None else None
        if connection is None:
            return []
        return list(islice(self.candidates(Asked(ctx, param, connection.live), incomplete), MOST))

    def candidates(self, asked: "Asked", part: str) -> Iterable[CompletionItem]:
        """The candidates for a part of a value, the likeliest first."""
        raise NotImplementedError


class Asked:
    """What is known of the command line that is being completed."""

    def __init__(self, context: click.Context, param: click.Parameter, live: "LiveCluster") -> None:
        self.context = context
        self.param = param
        self.live = live
        self.shell: Shell = context.obj

    @property
    def namespace(self) -> str:
        """The namespace that the line names so far, or else the shell's."""
        return self.context.params.get("namespace") or self.shell.namespace

    @property
    def one_namespace(self) -> str:
        """That namespace; empty where the line is about several."""
        from seatrial.targets.pod_matchers.reader import is_glob

        return "" if self.context.params.get("everywhere") or is_glob(self.namespace) else self.namespace

    @property
    def given(self) -> frozenset[str]:
        """What this argument has been given already, where it takes several."""
        values = self.context.params.get(self.param.name or "")
        return frozenset(map(str, values)) if isinstance(values, tuple | list) else frozenset()

    def words_of(self, value_type: type[LiveValue]) -> Sequence[str]:
        """What the line names already of a type."""
        found: list[str] = []
        for param in self.context.command.params:
            if isinstance(param.type, value_type):
                given = self.context.params.get(param.name or "") or ()
                found += (given,) if isinstance(given, str) else given
        return found

    @property
    def now(self) -> datetime:
        """The time that ages are counted to, by the API server's clock once that is known."""
        ours = self.shell.session.context.clock.now()
        return self.shell.server_time.now(ours) if self.shell.server_time is not None else ours

    def opened(self, kind: str) -> "LiveKind[Any]":
        """A kind of the live view, open where the line is about."""
        found: LiveKind[Any] = getattr(self.live, kind)
        found.open(self.one_namespace)
        return found

    def age(self, created: datetime | None) -> str:
        """How long ago something was made."""
        from seatrial.shell.ages import age_seconds, age_text

        return age_text(age_seconds(created, now=self.now))


def described(item: Any, asked: Asked) -> str:
    """What to say beside a name: state, numbers, age, node."""
    if item is None:
        return ""
    if hasattr(item, "wanted") and hasattr(item, "ready"):
        state = f"{item.ready}/{item.wanted} ready"
    else:
        state = getattr(item, "status", "") or getattr(item, "type", "")
    parts = (state, asked.age(item.created), getattr(item, "node", ""))
    return "  ".join(part for part in parts if part)
