from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from seatrial.engine.timetable import Timetable, local_zone
from seatrial.errors import ConfigurationError
from seatrial.policy.schedule import Schedule

VIENNA = ZoneInfo("Europe/Vienna")
OFFICE = {"onlyDays": ["monday", "tuesday"], "startTime": {"hour": 9}, "endTime": {"hour": 16, "minute": 59}}


def timetable(directory=None, **said) -> Timetable:
    made = Timetable(Schedule.model_validate({"timezone": "Europe/Vienna", **said}), directory=directory)
    made.read()
    return made


def vienna(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIENNA, fold=fold)


def times(made: Timetable, after: datetime, count: int) -> list[str]:
    found = []
    for _ in range(count):
        after = made.next_after(after)
        found.append(f"{after.astimezone(VIENNA):%Y-%m-%d %H:%M %Z}")
    return found


def test_times_of_a_crontab_are_those_of_its_timezone():
    """Three in the morning in Vienna is one o'clock in summer and two in winter, by UTC."""
    made = timetable(cron="0 3 * * *")
    assert made.next_after(datetime(2026, 7, 1, tzinfo=UTC)) == datetime(2026, 7, 1, 1, tzinfo=UTC)
    assert made.next_after(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2026, 12, 1, 2, tzinfo=UTC)


def test_a_time_is_after_the_moment_that_is_asked_about():
    """At three o'clock sharp, the next three o'clock is tomorrow's."""
    assert times(timetable(cron="0 3 * * *"), vienna("2026-07-01T03:00"), 1) == ["2026-07-02 03:00 CEST"]


def test_a_time_that_is_skipped_when_clocks_are_put_forward_comes_when_they_are():
    """Half past two doesn't exist on 2026-03-29 in Vienna: three o'clock it is."""
    assert times(timetable(cron="30 2 * * *"), vienna("2026-03-28T12:00"), 2) == [
        "2026-03-29 03:00 CEST",
        "2026-03-30 02:30 CEST",
    ]


def test_a_time_that_comes_twice_when_clocks_are_put_back_counts_once():
    """Half past two comes twice on 2026-10-25: the first one counts, also for who begins between both."""
    made = timetable(cron="30 2 * * *")
    assert times(made, vienna("2026-10-24T12:00"), 2) == ["2026-10-25 02:30 CEST", "2026-10-26 02:30 CET"]
    assert times(made, vienna("2026-10-25T02:10", fold=1), 1) == ["2026-10-26 02:30 CET"]


def test_every_quarter_of_an_hour_goes_on_through_the_hour_that_comes_twice():
    """What comes every so often comes so in real time, as with cron."""
    found = times(timetable(cron="*/30 * * * *"), vienna("2026-10-25T01:40"), 5)
    assert [each[11:] for each in found] == ["02:00 CEST", "02:30 CEST", "02:00 CET", "02:30 CET", "03:00 CET"]


def test_without_times_a_round_may_begin_now_or_when_a_window_opens():
    """Monday noon is within office hours; on Monday evening, Tuesday's are awaited, and on Tuesday next week's."""
    made = timetable(windows=[OFFICE])
    noon = vienna("2026-11-23T12:00")
    assert made.next_after(noon) == noon
    assert times(made, vienna("2026-11-23T17:00"), 1) == ["2026-11-24 09:00 CET"]
    assert times(made, vienna("2026-11-24T17:00"), 1) == ["2026-11-30 09:00 CET"]


def test_the_last_second_of_a_window_belongs_to_it():
    """As with the filter `dayTime`."""
    made = timetable(windows=[OFFICE])
    assert made.is_open(vienna("2026-11-23T16:59:00"))
    assert not made.is_open(vienna("2026-11-23T16:59:01"))


def test_a_window_that_crosses_midnight_belongs_to_the_day_on_which_it_opened():
    """Friday's night is open on Saturday at three, Saturday's isn't on Sunday."""
    made = timetable(windows=[{"onlyDays": ["friday"], "startTime": {"hour": 22}, "endTime": {"hour": 4}}])
    assert made.is_open(vienna("2026-11-28T03:00"))
    assert not made.is_open(vienna("2026-11-29T03:00"))
    assert not made.is_open(vienna("2026-11-27T03:00"))


def test_a_window_that_opens_at_a_time_that_does_not_exist_opens_when_clocks_are_put_forward():
    """From half past two on 2026-03-29: at three, not at half past three."""
    made = timetable(windows=[{"startTime": {"hour": 2, "minute": 30}, "endTime": {"hour": 5}}])
    assert times(made, vienna("2026-03-29T01:00"), 1) == ["2026-03-29 03:00 CEST"]


def test_a_window_in_the_hour_that_comes_twice_is_open_until_its_second_end():
    """From a quarter past two to half past two on 2026-10-25: from the first of the one to the second of the other."""
    made = timetable(
        windows=[{"startTime": {"hour": 2, "minute": 15}, "endTime": {"hour": 2, "minute": 29, "second": 59}}]
    )
    begins, ends = vienna("2026-10-25T02:15"), vienna("2026-10-25T02:30", fold=1)
    assert [made.is_open(each) for each in (begins, ends - timedelta(seconds=1), ends)] == [True, True, False]
    assert made.next_after(begins.astimezone(UTC) - timedelta(hours=1)) == begins.astimezone(UTC)


def test_no_round_begins_on_a_holiday():
    """Times of a holiday don't come, and a window that is open at its end opens at midnight."""
    assert times(timetable(cron="0 3 * * *", holidays=["2026-12-25", "2026-12-26"]), vienna("2026-12-24T12:00"), 1) == [
        "2026-12-27 03:00 CET"
    ]
    assert times(timetable(holidays=["2026-12-25"]), vienna("2026-12-25T12:00"), 1) == ["2026-12-26 00:00 CET"]
    nights = [{"startTime": {"hour": 22}, "endTime": {"hour": 4}}]
    assert times(timetable(holidays=["2026-12-25"], windows=nights), vienna("2026-12-25T12:00"), 1) == [
        "2026-12-26 00:00 CET"
    ]


def test_times_outside_of_the_windows_do_not_come():
    """Every ten minutes, in office hours: after five o'clock, the next is tomorrow's nine o'clock."""
    assert times(timetable(cron="*/10 * * * *", windows=[OFFICE]), vienna("2026-11-23T16:50"), 1) == [
        "2026-11-24 09:00 CET"
    ]


def test_a_schedule_may_have_no_time_at_all():
    """Three in the morning is never in office hours: that is found out, in no time."""
    assert timetable(cron="0 3 * * *", windows=[OFFICE]).next_after(vienna("2026-11-23T16:50")) is None


def test_missed_times_are_counted():
    """From three o'clock to a quarter past five there are three full hours, the first included."""
    made = timetable(cron="0 * * * *")
    assert made.missed(vienna("2026-11-23T03:00"), vienna("2026-11-23T05:15")) == 3


def test_holidays_are_read_from_a_file_and_read_again_when_it_changes(tmp_path):
    """A date a line, comments and empty lines; another day that is added later counts."""
    file = tmp_path / "holidays.txt"
    file.write_text("# of 2026\n2026-12-24  # Christmas Eve\n\n")
    made = timetable(tmp_path, cron="0 3 * * *", holidaysFile="holidays.txt")
    assert times(made, vienna("2026-12-23T12:00"), 1) == ["2026-12-25 03:00 CET"]
    file.write_text("2026-12-24\n2026-12-25\n")
    made.read()
    assert times(made, vienna("2026-12-23T12:00"), 1) == ["2026-12-26 03:00 CET"]


def test_holidays_that_can_not_be_read_at_first_are_an_error(tmp_path):
    """What was to be spared would not be: better not to begin; the message names file and line."""
    with pytest.raises(ConfigurationError, match=r"can't read the holidays .*/none\.txt: No such file"):
        timetable(tmp_path, holidaysFile="none.txt")
    (tmp_path / "bad.txt").write_text("2026-12-24\nChristmas\n")
    with pytest.raises(ConfigurationError, match=r"bad\.txt:2: 'Christmas' is no date"):
        timetable(tmp_path, holidaysFile="bad.txt")


def test_holidays_that_can_not_be_read_later_stay_and_are_said_once(tmp_path, caplog):
    """A file that somebody is just replacing must not end a run that lasts for weeks."""
    file = tmp_path / "holidays.txt"
    file.write_text("2026-12-24\n")
    made = timetable(tmp_path, cron="0 3 * * *", holidaysFile="holidays.txt")
    file.unlink()
    made.read()
    made.read()
    assert times(made, vienna("2026-12-23T12:00"), 1) == ["2026-12-25 03:00 CET"]
    assert [each.getMessage() for each in caplog.records] == [
        f"can't read the holidays {file}: No such file or directory; 1 holiday of before hold"
    ]


def test_the_machines_own_timezone_is_one_with_daylight_saving(monkeypatch):
    """TZ says it, as it does to everything else; what it can't mean is UTC."""
    monkeypatch.setenv("TZ", "Europe/Vienna")
    assert local_zone() == VIENNA
    monkeypatch.setenv("TZ", "no/such")
    assert local_zone() is UTC
