"""A plan, printed: for people, or as JSON."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from rich.console import Console
from rich.text import Text

from seatrial.policy.spans import span_in_words
from seatrial.policy.wording import counted
from seatrial.report.durations import duration
from seatrial.report.plain import plain
from seatrial.runtime.plan import FailuresPlan, Plan, StepPlan, WatchPlan, plan_as_data

_MARGIN = "   "
_LABEL_WIDTH = 11
_NARROWEST = 20

_Row = tuple[str, str, str]
"""A label, a text and its style."""


def plan_as_json(plan: Plan) -> str:
    """The plan as `--output json` prints it."""
    return json.dumps(plan_as_data(plan), indent=2)


def print_plan(
    plan: Plan,
    console: Console,
    *,
    command: Sequence[str] = (),
    arguments: Sequence[str] = (),
    advises: bool = True,
) -> None:
    """Print a plan and, unless nobody is to be advised, the command that carries out exactly this one.

    `command` is the command and what it is given; without it, `autonomous` with the policy. `arguments` say which
    cluster it is.
    """
    console.print(plain(f"plan of {plan.policy} on {plan.server}, seed {plan.seed}", style="bold"))
    if plan.failures:
        console.print()
        console.print(plain("failures", style="bold"))
        _print_rows(_failure_rows(plan.failures), console)
    for scenario in plan.scenarios:
        console.print()
        console.print(plain(scenario.name, style="bold"))
        for watch in scenario.watches:
            _print_rows(_watch_rows(watch), console)
        for number, (key, step) in enumerate(scenario.steps, start=1):
            place = f"{number}/{len(scenario.steps)}"
            _print_rows([(place, f"{key}: {step.summary}", ""), *_rows(step)], console)
    if not plan.scenarios:
        console.print("nothing would fail" if plan.failures else "the policy has no scenarios")
    if advises:
        _advise(plan, console, command=command, arguments=arguments)


def _advise(plan: Plan, console: Console, *, command: Sequence[str], arguments: Sequence[str]) -> None:
    carried_out_by = command or ("autonomous", "--policy-file", plan.policy)
    whole = ["seatrial", *carried_out_by, *arguments, "--seed", plan.seed]
    console.print()
    if plan.allowed:
        says = "Nothing was changed. To carry out exactly this, while the cluster is as it is now:"
    else:
        says = (
            "Nothing was changed. As the cluster is now, what is marked above would be refused. To run it all the same:"
        )
    console.print(says, style="dim", soft_wrap=not console.is_terminal)
    console.print(plain(f"  {shlex.join(whole)}"), soft_wrap=True)


def print_step(title: str, step: StepPlan, console: Console, *, most: int | None = None, rest: str = "") -> None:
    """Print what one step would do, under a title of its own, which says what was chosen.

    Of each kind of thing at most so many are named; `rest` says where the others can be seen.
    """
    rows = [row for row in _rows(step) if row[0] != "matched" or not step.matched or step.matched != _chosen(step)]
    shown = rows if most is None else _cut(rows, most, rest)
    # In the columns of an account: what comes of it is told below.
    _print_rows(
        [("would", title, "bold"), *(shown or [("", step.summary, "dim")])], console, margin=" ", label_width=13
    )


def _cut(rows: Iterable[_Row], most: int, rest: str) -> list[_Row]:
    """The rows, of each label at most so many, and how many there are more."""
    kept: list[_Row] = []
    for _, group in groupby(rows, key=itemgetter(0)):
        of_a_kind = list(group)
        more = len(of_a_kind) - most
        # A line that says "and 1 more" takes the place of the one it hides.
        kept += of_a_kind if more <= 1 else [*of_a_kind[:most], ("", f"and {more} more{rest}", "dim")]
    return kept


def _print_rows(
    rows: Iterable[_Row], console: Console, *, margin: str = _MARGIN, label_width: int = _LABEL_WIDTH
) -> None:
    """Labels and texts in two columns; only a terminal has a width to wrap them at."""
    for label, text, style in rows:
        shown = plain(text, style=style)
        width = max(_NARROWEST, console.width - len(margin) - label_width)
        parts = shown.wrap(console, width, overflow="fold") if console.is_terminal else shown.split(allow_blank=True)
        head = Text(margin).append(label.ljust(label_width), style="dim")
        for part in parts or [shown]:
            part.rstrip()
            line = head.append_text(part)
            line.rstrip()
            console.print(line, soft_wrap=True)
            head = Text(" " * (len(margin) + label_width))


def _failure_rows(failures: FailuresPlan) -> Iterator[_Row]:
    for rate in failures.rates:
        yield "expected", f"{counted(rate.units, rate.kind)} with an MTTF of {rate.mttf}: {rate.scenario}", ""
        if rate.mean_seconds_between is None:
            yield "", rate.note, "yellow"
            continue
        often = span_in_words(rate.mean_seconds_between * failures.accelerate)
        in_the_run = duration(rate.mean_seconds_between * 1000)
        yield "", f"one every {often}; {failures.accelerate:,.10g} times as fast, one every {in_the_run}", ""
    struck: set[str] = set()
    for number, each in enumerate(failures.first, start=1):
        when = f"after {duration(each.waiting_seconds * 1000)} ({span_in_words(each.life_seconds)})"
        kind = each.kind if len(each.units) == 1 else f"{each.kind}s"
        zone = f", all of zone {each.zone}" if each.zone else ""
        # Whatever replaces a pod has its place among those that fail, and a name that nobody knows yet.
        again = ", or what replaces it" if each.kind == "pod" and struck & {*each.units} else ""
        yield "first" if number == 1 else "", f"{when}: {kind} {', '.join(each.units)}{zone}{again}", "bold"
        struck.update(each.units)


_WATCH_LABELS = {"observe": "observes", "steadyState": "steady", "abortWhen": "aborts"}


def _watch_rows(watch: WatchPlan) -> list[_Row]:
    return [(_WATCH_LABELS[watch.key], watch.summary, ""), *_obstacles(watch.unknown, watch.missing_permissions)]


def _obstacles(unknown: str, missing_permissions: Sequence[str]) -> list[_Row]:
    rows = [("UNKNOWN", unknown, "yellow")] if unknown else []
    return rows + [("FORBIDDEN", f"you may not {what}", "red") for what in missing_permissions]


def _chosen(step: StepPlan) -> int:
    return len(step.nodes if step.kind == "node" else step.targets)


def _rows(step: StepPlan) -> list[_Row]:
    rows = []
    if step.matched is not None:
        rows.append(("matched", f"{counted(step.matched, step.kind)}, {_chosen(step)} chosen", ""))
    rows += [("", note, "dim") for note in step.notes]
    victims = set(step.victims)
    rows += [("would hit", f"{pod} on {pod.node or 'no node'}", "bold") for pod in step.victims]
    rows += [("would see", f"{pod} on {pod.node or 'no node'}", "") for pod in step.targets if pod not in victims]
    for owner in step.owners:
        until = f"it replaces {owner.hit}" if owner.replaced else "clean-up"
        left = f"{owner.left} of {owner.ready} Ready pods until {until}"
        rows.append(("leaves", f"{owner.owner} in {owner.namespace}: {left}", "" if owner.left else "yellow"))
    rows += [("for good", f"{pod} has no controller: nothing replaces it", "yellow") for pod in step.unowned]
    for budget in step.budgets:
        allowed = (
            f"PodDisruptionBudget {budget.namespace}/{budget.budget} allows {budget.allowed}, this makes {budget.hit}"
        )
        rows.append(("BREAKS" if budget.broken else "keeps", allowed, "yellow" if budget.broken else ""))
    rows += [("node", node, "bold") for node in step.nodes]
    rows += [("changes", change, "bold") for change in step.changes]
    rows += [("REFUSED", reason, "red") for reason in step.refused]
    return rows + _obstacles(step.unknown, step.missing_permissions)
