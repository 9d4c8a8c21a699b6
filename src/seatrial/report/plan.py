"""A plan, printed: for people, or as JSON."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence

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


def plan_as_json(plan: Plan) -> str:
    """The plan as `--output json` prints it."""
    return json.dumps(plan_as_data(plan), indent=2)


def print_plan(plan: Plan, console: Console, *, command: Sequence[str] = (), arguments: Sequence[str] = ()) -> None:
    """Print a plan and the command that carries out exactly this one; `arguments` say which cluster it is.

    `command` is the command and what it is given; without it, `autonomous` with the policy.
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


def print_step(title: str, step: StepPlan, console: Console) -> None:
    """Print what one step would do, under a title of its own."""
    _print_rows([("would", title, "bold"), *_rows(step)], console)


def _print_rows(rows: Iterable[tuple[str, str, str]], console: Console) -> None:
    """Labels and texts in two columns; only a terminal has a width to wrap them at."""
    for label, text, style in rows:
        shown = plain(text, style=style)
        width = max(_NARROWEST, console.width - len(_MARGIN) - _LABEL_WIDTH)
        parts = shown.wrap(console, width, overflow="fold") if console.is_terminal else shown.split(allow_blank=True)
        head = Text(_MARGIN).append(label.ljust(_LABEL_WIDTH), style="dim")
        for part in parts or [shown]:
            part.rstrip()
            line = head.append_text(part)
            line.rstrip()
            console.print(line, soft_wrap=True)
            head = Text(" " * (len(_MARGIN) + _LABEL_WIDTH))


def _failure_rows(failures: FailuresPlan) -> Iterator[tuple[str, str, str]]:
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


def _watch_rows(watch: WatchPlan) -> list[tuple[str, str, str]]:
    return [(_WATCH_LABELS[watch.key], watch.summary, ""), *_obstacles(watch.unknown, watch.missing_permissions)]


def _obstacles(unknown: str, missing_permissions: Sequence[str]) -> list[tuple[str, str, str]]:
    rows = [("UNKNOWN", unknown, "yellow")] if unknown else []
    return rows + [("FORBIDDEN", f"you may not {what}", "red") for what in missing_permissions]


def _rows(step: StepPlan) -> list[tuple[str, str, str]]:
    rows = []
    if step.matched is not None:
        chosen = len(step.nodes if step.kind == "node" else step.targets)
        rows.append(("matched", f"{step.matched} {step.kind}{'' if step.matched == 1 else 's'}, {chosen} chosen", ""))
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
