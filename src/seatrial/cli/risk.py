"""`seatrial risk`: what the number of machines or teams predicts, as a table or for programs."""

from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.option_group import is_given
from seatrial.cli.options import output_option

if TYPE_CHECKING:
    from seatrial.risk.failures import FailureRate

_EPILOG = """\b
Examples:
  # machines that last five years on average: what is lost in a day?
  seatrial risk --mttf 5y --count 200
  # six machines in three zones, of which four must be up; repairs take a day
  seatrial risk --mttf 5y --count 6 --need 4 --mttr 1d \\
    --zones 3 --zone-mttf 2y --zone-mttr 4h
  # 25 teams that release weekly, 98 % of it free of bugs
  seatrial risk --bug-free 98 --every 1w --count 25
"""
_PERIODS = ("1d", "1w", "1y")
_LIKELY = (0.5, 0.95)
_MOST_ZONES = 20
_WIDTH = 80
_MOST_OF_WHICH_SOME_ARE_NEEDED = 10_000


@click.command(epilog=_EPILOG)
@click.option("--mttf", metavar="SPAN", help="A machine's mean time to failure, such as 5y or 50000h.")
@click.option("--bug-free", type=click.FloatRange(0, 100), metavar="PERCENT", help="Releases without a bug, of a team.")
@click.option("--every", metavar="SPAN", default="1w", show_default=True, help="How often a team releases.")
@click.option(
    "--count",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="How many machines, or teams.",
)
@click.option("--within", metavar="SPAN", help="One more period, besides a day, a week and a year.")
@click.option("--need", type=click.IntRange(min=1), metavar="K", help="How many machines must be left.")
@click.option(
    "--mttr", metavar="SPAN", help="A machine's mean time to repair. Without it nothing is repaired within the period."
)
@click.option(
    "--zones",
    type=click.IntRange(1, _MOST_ZONES),
    default=1,
    show_default=True,
    metavar="N",
    help="The zones that the machines are spread over.",
)
@click.option("--zone-mttf", metavar="SPAN", help="A zone's mean time to failure, with all that is in it.")
@click.option("--zone-mttr", metavar="SPAN", help="A zone's mean time to repair, where --mttr is given.")
@output_option("the figures")
def risk(
    mttf: str | None,
    bug_free: float | None,
    every: str,
    count: int,
    within: str | None,
    need: int | None,
    mttr: str | None,
    zones: int,
    zone_mttf: str | None,
    zone_mttr: str | None,
    output: str,
) -> None:
    """Work out how often machines fail, or teams ship bugs, and whether enough is left.

    Failures are taken to be independent and as likely at any age. A SPAN is a number with one of s, m, h, d, w, y.
    """
    import json

    from seatrial.policy.spans import parse_span
    from seatrial.risk.failures import machine_failures, release_bugs

    if (mttf is None) == (bug_free is None):
        raise _usage("say --mttf for machines, or --bug-free for teams")
    if mttf is not None and is_given("every"):
        raise _usage("--every is about teams: it goes with --bug-free")
    repair = {"--mttr": mttr, "--zone-mttf": zone_mttf, "--zone-mttr": zone_mttr, "--zones": zones > 1}
    if need is None and (unused := [name for name, given in repair.items() if given]):
        raise _usage(f"{unused[0]} goes with --need")
    if mttf is not None:
        rate = machine_failures(parse_span(mttf))
    else:
        rate = release_bugs((bug_free or 0) / 100, every_seconds=parse_span(every))
    found = _figures(rate, of="teams" if mttf is None else "machines", count=count, within=within)
    if need is not None:
        if mttf is None:
            raise _usage("--need is about machines: it goes with --mttf")
        found["survival"] = _survival(need, count, mttf, mttr, zones, zone_mttf, zone_mttr, within)
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        _print(found)


def _figures(rate: "FailureRate", *, of: str, count: int, within: str | None) -> dict[str, Any]:
    from seatrial.policy.spans import DAY, parse_span

    periods = sorted({*_PERIODS, *([within] if within else [])}, key=parse_span)
    return {
        "of": of,
        "count": count,
        "periods": [
            {
                "within": each,
                "chanceOfOne": rate.chance(within_seconds=(seconds := parse_span(each))),
                "chanceOfAny": rate.chance(within_seconds=seconds, count=count),
                "expected": rate.expected(within_seconds=seconds, count=count),
            }
            for each in periods
        ],
        "meanDaysBetween": rate.seconds_between(count=count) / DAY,
        "daysUntil": [{"chance": chance, "days": rate.seconds_until(chance, count=count) / DAY} for chance in _LIKELY],
    }


def _survival(
    need: int,
    count: int,
    mttf: str,
    mttr: str | None,
    zones: int,
    zone_mttf: str | None,
    zone_mttr: str | None,
    within: str | None,
) -> dict[str, Any]:
    """The chance that fewer than `need` are left: at any moment, with repair, or after the period, without."""
    from seatrial.policy.spans import parse_span
    from seatrial.risk.failures import machine_failures
    from seatrial.risk.survival import Fleet, up_part

    if count > _MOST_OF_WHICH_SOME_ARE_NEEDED:
        raise _usage(f"--need is worked out for {_MOST_OF_WHICH_SOME_ARE_NEEDED:,} machines at most")
    if zones > count:
        raise _usage(f"{count} machines can't be spread over {zones} zones")
    if need > count:
        raise _usage(f"--need {need} is more than there are (--count {count})")
    if (zone_mttf is not None and mttr is not None) != (zone_mttr is not None):
        raise _usage("--zone-mttr goes with --zone-mttf and --mttr, and they with it")
    period = within or "1y"

    def up(fails: str | None, repaired: str | None) -> float:
        if fails is None:
            return 1.0
        if repaired is not None:
            return up_part(parse_span(fails), parse_span(repaired))
        return 1 - machine_failures(parse_span(fails)).chance(within_seconds=parse_span(period))

    fleet = Fleet(count=count, up=up(mttf, mttr), zones=zones, zone_up=up(zone_mttf, zone_mttr))
    return {
        "need": need,
        "zones": zones,
        "repaired": mttr is not None,
        "within": None if mttr is not None else period,
        "chanceOfFewer": fleet.chance_of_fewer(need),
        "leftWithoutAZone": fleet.left_without_a_zone if zones > 1 else None,
        "chanceOfFewerWithoutAZone": fleet.chance_of_fewer_without_a_zone(need) if zones > 1 else None,
    }


def _print(found: dict[str, Any]) -> None:
    from seatrial.cli.sandbox_lookup import print_table
    from seatrial.policy.spans import DAY, span_in_words

    count, noun = found["count"], "failure" if found["of"] == "machines" else "bug"
    of_any = [f"CHANCE FOR ANY OF {count:,}"] if count > 1 else []
    titles = ("WITHIN", "CHANCE FOR ONE", *of_any, f"EXPECTED {noun.upper()}S")
    print_table(titles, [_row(each, count) for each in found["periods"]])
    between = span_in_words(found["meanDaysBetween"] * DAY)
    soon, surely = (f"{each['chance']:.0%} within {span_in_words(each['days'] * DAY)}" for each in found["daysUntil"])
    _print_words(
        f"One {noun} every {between} on average; the next comes with a chance of {soon}, {surely}.".replace("%", " %")
    )
    if "survival" in found:
        _print_words(_survival_in_words(found["survival"], count))


def _print_words(words: str) -> None:
    click.echo("\n" + click.wrap_text(words, width=_WIDTH))


def _row(period: dict[str, Any], count: int) -> tuple[str, ...]:
    of_any = [_percent(period["chanceOfAny"])] if count > 1 else []
    return (period["within"], _percent(period["chanceOfOne"]), *of_any, _number(period["expected"]))


def _number(expected: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{expected:,.0f}" if expected >= 99.95 else f"{expected:.3g}"


def _survival_in_words(survival: dict[str, Any], count: int) -> str:
    from seatrial.policy.spans import YEAR, span_in_words

    need, fewer, zones = survival["need"], survival["chanceOfFewer"], survival["zones"]
    when = "at any moment" if survival["repaired"] else f"after {survival['within']} without repair"
    where = f" in {zones} zones" if zones > 1 else ""
    words = f"Fewer than {need:,} of {count:,}{where} are up {when} with a chance of {_percent(fewer)}"
    words += f", {span_in_words(fewer * YEAR)} a year." if survival["repaired"] else "."
    if zones == 1:
        return words
    if survival["leftWithoutAZone"] < need:
        return f"{words} With the largest zone lost, {survival['leftWithoutAZone']:,} are left: too few."
    return f"{words} With the largest zone lost: {_percent(survival['chanceOfFewerWithoutAZone'])}."


def _percent(chance: float) -> str:
    """Three digits; what is all but sure is not shown as sure."""
    return "more than 99.9 %" if chance >= 0.9995 else f"{chance * 100:.3g} %"


def _usage(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context())
