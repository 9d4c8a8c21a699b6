"""`seatrial risk`."""

import json

import pytest

from seatrial.cli.main import run


def told(capsys, *arguments):
    assert run(["risk", *arguments]) == 0
    return capsys.readouterr().out


def figures(capsys, *arguments):
    return json.loads(told(capsys, *arguments, "--output", "json"))


def test_the_table_answers_for_today_and_this_year(capsys):
    """200 servers that last five years: one in ten days sees a failure, and 40 a year are to be expected."""
    out = told(capsys, "--mttf", "5y", "--count", "200")
    assert "CHANCE FOR ANY OF 200" in out
    assert out.splitlines()[1].split() == ["1d", "0.0547", "%", "10.4", "%", "0.11"]
    assert out.splitlines()[3].split() == ["1y", "18.1", "%", "more", "than", "99.9", "%", "40"]
    assert "One failure every 9.13 days on average" in out
    assert "50 % within 6.33 days, 95 % within 27.4 days" in " ".join(out.split())


def test_programs_read_the_same(capsys):
    """As JSON, chances between 0 and 1, times in days, and a period of one's own."""
    found = figures(capsys, "--mttf", "10y", "--count", "10000", "--within", "36h")
    assert [each["within"] for each in found["periods"]] == ["1d", "36h", "1w", "1y"]
    today = found["periods"][0]
    assert today["chanceOfOne"] == pytest.approx(0.0003, rel=0.1)
    assert round(today["expected"]) == 3
    assert (found["of"], found["count"]) == ("machines", 10_000)
    assert found["meanDaysBetween"] == pytest.approx(0.36525)
    assert [each["chance"] for each in found["daysUntil"]] == [0.5, 0.95]


def test_teams_ship_bugs(capsys):
    """25 teams, 98 % free of bugs, weekly: a bug every other week."""
    assert figures(capsys, "--bug-free", "98", "--count", "25")["meanDaysBetween"] == pytest.approx(14)
    assert "One bug every 350 days on average" in told(capsys, "--bug-free", "98", "--every", "1w")


def test_what_must_be_left_is_worked_out_by_zones(capsys):
    """Four of six in three zones: any zone may be lost as long as nothing else is."""
    arguments = ["--mttf", "5y", "--count", "6", "--need", "4", "--mttr", "1d", "--zones", "3"]
    survival = figures(capsys, *arguments)["survival"]
    assert 0 < survival["chanceOfFewer"] < survival["chanceOfFewerWithoutAZone"] < 0.01
    zones = [*arguments, "--zone-mttf", "2y", "--zone-mttr", "4h"]
    assert figures(capsys, *zones)["survival"]["chanceOfFewer"] > survival["chanceOfFewer"]
    out = told(capsys, *zones)
    words = " ".join(out.split())
    assert "Fewer than 4 of 6 in 3 zones are up at any moment with a chance of" in words
    assert "a year. With the largest zone lost:" in words


def test_a_zone_that_can_t_be_spared_is_said(capsys):
    """Five of six in three zones: four are left."""
    arguments = ["--mttf", "5y", "--count", "6", "--need", "5", "--zones", "3"]
    assert "With the largest zone lost, 4 are left: too few." in " ".join(told(capsys, *arguments).split())
    assert figures(capsys, *arguments)["survival"]["leftWithoutAZone"] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["--mttf", "5y", "--count", "1000000"],
        ["--mttf", "1s", "--count", "1000000"],
        ["--bug-free", "98", "--count", "25"],
        [
            *("--mttf", "5y", "--count", "9999", "--need", "9000", "--mttr", "1d"),
            *("--zones", "20", "--zone-mttf", "2y", "--zone-mttr", "1d"),
        ],
    ],
)
def test_a_terminal_of_80_columns_is_enough(capsys, arguments):
    """No line is longer, whatever the numbers."""
    assert max(map(len, told(capsys, *arguments).splitlines())) <= 80


def test_one_machine_is_not_told_twice(capsys):
    """The chance for any of one is the chance for one."""
    out = told(capsys, "--mttf", "5y")
    assert "CHANCE FOR ANY" not in out
    assert out.splitlines()[1].split() == ["1d", "0.0547", "%", "0.000548"]


def test_large_numbers_are_written_out(capsys):
    """A thousand failures a year, not 1e+03."""
    assert told(capsys, "--mttf", "10y", "--count", "10000").splitlines()[3].endswith(" 1,000")


def test_without_repair_the_period_counts(capsys):
    """A pair of which one is enough, for a year, and for a day."""
    pair = ["--mttf", "1y", "--count", "2", "--need", "1"]
    assert figures(capsys, *pair)["survival"]["chanceOfFewer"] == pytest.approx((1 - 0.36788) ** 2, rel=1e-4)
    survival = figures(capsys, *pair, "--within", "1d")["survival"]
    assert (survival["within"], survival["repaired"]) == ("1d", False)
    assert survival["chanceOfFewer"] < 1e-5
    assert "after 1y without repair" in told(capsys, *pair)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say --mttf for machines, or --bug-free for teams"),
        (["--mttf", "1y", "--bug-free", "9"], "say --mttf for machines, or --bug-free"),
        (["--mttf", "soon"], "'soon' is no span of time"),
        (["--mttf", "1y", "--count", "0"], "0 is not in the range"),
        (["--bug-free", "100"], "can't be free of bugs"),
        (["--mttf", "1y", "--every", "2w"], "it goes with --bug-free"),
        (["--mttf", "1y", "--mttr", "1d"], "--mttr goes with --need"),
        (["--mttf", "1y", "--zones", "3"], "--zones goes with --need"),
        (["--bug-free", "98", "--need", "1"], "it goes with --mttf"),
        (["--mttf", "1y", "--need", "2"], "--need 2 is more than there are"),
        (["--mttf", "1y", "--need", "1", "--zones", "2"], "can't be spread over 2 zones"),
        (["--mttf", "1y", "--need", "1", "--count", "20000"], "10,000 machines at most"),
        (["--mttf", "1y", "--need", "1", "--zone-mttf", "1y", "--mttr", "1d"], "--zone-mttr goes with"),
        (["--mttf", "1y", "--need", "1", "--zone-mttr", "1d"], "--zone-mttr goes with"),
    ],
)
def test_mistakes_are_said(capsys, arguments, message):
    """In a line, with the exit code of wrong usage."""
    assert run(["risk", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--bug-free", "98%"), "'98%' is not a number"),
        (("--mttf", "5y", "--count", "all"), "'all' is not a whole number"),
    ],
)
def test_what_is_no_number_is_called_that(capsys, arguments, said):
    """Not by the names that the library for command lines has for its types."""
    assert run(["risk", *arguments]) == 2
    assert said in capsys.readouterr().err
