from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.kube.objects import ObjectMeta
from seatrial.targets.seal_labels import SealSettings, Unreadable, read_settings, says_enabled, why_not_at

WEEKDAYS = frozenset({"mon", "tue", "wed", "thu", "fri"})
DEFAULTS = SealSettings(force=False, probability=1, days=WEEKDAYS, start=time(10), end=time(17, 30))
MONDAY = datetime(2030, 1, 7, tzinfo=UTC)


def meta(labels=None, **annotations):
    said = {f"seal/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return ObjectMeta(name="p", labels=labels, annotations=said or None)


def settings(**annotations):
    made = read_settings(meta({"seal/enabled": "true"}, **annotations))
    assert isinstance(made, SealSettings)
    return made


def test_what_is_not_said_has_a_default():
    """Graceful, certain, on weekdays from 10:00 to 17:30; and without seal/enabled nothing is asked."""
    assert settings() == DEFAULTS
    assert says_enabled(meta()) == ""


def test_all_can_be_said():
    """Each key has its meaning; days are separated by commas in annotations, by dots or underscores in labels."""
    said = settings(
        force_kill="true", kill_probability="0.25", days="sat,sun", start_time="22-15-30", end_time="06-00-00"
    )
    assert said == SealSettings(
        force=True, probability=0.25, days=frozenset({"sat", "sun"}), start=time(22, 15, 30), end=time(6)
    )
    for days in ("mon.sun", "mon_sun"):
        in_a_label = read_settings(meta({"seal/enabled": "true", "seal/days": days}))
        assert isinstance(in_a_label, SealSettings)
        assert in_a_label.days == {"mon", "sun"}


def test_a_label_wins_over_an_annotation():
    """Where both have a key the label counts; an empty label counts as not given."""
    both = meta({"seal/enabled": "false", "seal/kill-probability": ""}, enabled="true", kill_probability="0.5")
    assert says_enabled(both) == "false"
    read = read_settings(both)
    assert isinstance(read, SealSettings)
    assert read.probability == 0.5


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"enabled": "yes"}, "seal/enabled is 'yes', neither true nor false"),
        ({"enabled": "True"}, "seal/enabled is 'True', neither true nor false"),
        ({"force_kill": "1"}, "seal/force-kill is '1', neither true nor false"),
        ({"kill_probability": "2"}, "seal/kill-probability is '2', no number from 0 to 1"),
        ({"kill_probability": "-0.1"}, "seal/kill-probability is '-0.1', no number from 0 to 1"),
        ({"kill_probability": "nan"}, "seal/kill-probability is 'nan', no number from 0 to 1"),
        ({"kill_probability": "often"}, "seal/kill-probability is 'often', no number from 0 to 1"),
        ({"days": "mon,way"}, "seal/days has 'way', which is none of mon,tue,wed,thu,fri,sat,sun"),
        ({"days": "mon, tue"}, "seal/days has ' tue', which is none of mon,tue,wed,thu,fri,sat,sun"),
        ({"start_time": "10:00:00"}, "seal/start-time is '10:00:00', no time of the form HH-MM-SS"),
        ({"end_time": "24-00-00"}, "seal/end-time is '24-00-00', no time of the form HH-MM-SS"),
        ({"end_time": "1-00-00"}, "seal/end-time is '1-00-00', no time of the form HH-MM-SS"),
        (
            {"end_time": "10-00-00"},
            "seal/start-time and seal/end-time are both 10-00-00, which leaves no time at all",
        ),
    ],
)  # fmt: skip
def test_a_value_without_a_meaning_is_told(said, problem):
    """The sentence has the key, the value and what may stand there."""
    read = read_settings(meta(None, **{"enabled": "true", **said}))
    assert read == Unreadable((problem,))
    assert str(read) == problem


def test_all_problems_are_told_at_once():
    """Two wrong values, two sentences."""
    read = read_settings(meta(None, enabled="maybe", days="never"))
    assert isinstance(read, Unreadable)
    assert len(read.problems) == 2


@given(st.dictionaries(st.sampled_from(["enabled", "force_kill", "kill_probability", "days", "start_time"]), st.text()))
def test_any_text_is_read_or_told(said):
    """Nothing that somebody writes into an annotation breaks the run."""
    assert isinstance(read_settings(meta(None, **said)), SealSettings | Unreadable)


@pytest.mark.parametrize(
    ("clock", "due"),
    [(time(9, 59, 59, 999999), False), (time(10), True), (time(17, 29, 59), True), (time(17, 30), False)],
)
def test_the_window_begins_with_its_start_and_ends_before_its_end(clock, due):
    """10:00:00 is in, 17:30:00 is out."""
    reason = why_not_at(DEFAULTS, datetime.combine(MONDAY, clock, UTC), UTC)
    assert reason == ("" if due else "outside its hours: 10:00-17:30")


@pytest.mark.parametrize(
    ("day", "clock", "reason"),
    [
        (0, time(23), ""),
        (1, time(5, 59, 59), ""),
        (1, time(6), "outside its hours: 22:15:30-06:00"),
        (1, time(23), "outside its days: mon"),
        (0, time(5), "outside its days: mon"),
    ],
)
def test_a_window_across_midnight_belongs_to_the_day_on_which_it_began(day, clock, reason):
    """Monday's window lasts until Tuesday 6:00; what was left of Sunday's is none of Monday's."""
    night = settings(days="mon", start_time="22-15-30", end_time="06-00-00")
    assert why_not_at(night, datetime.combine(MONDAY + timedelta(days=day), clock, UTC), UTC) == reason


def test_days_and_hours_are_meant_in_a_timezone():
    """Sunday evening in New York is Monday in Vienna."""
    moment = datetime(2030, 1, 7, 3, 0, tzinfo=UTC)
    early = settings(days="mon", start_time="00-00-00", end_time="12-00-00")
    assert why_not_at(early, moment, ZoneInfo("Europe/Vienna")) == ""
    assert why_not_at(early, moment, ZoneInfo("America/New_York")) == "outside its hours: 00:00-12:00"


times = st.times().map(lambda moment: moment.replace(microsecond=0))


@given(start=times, end=times, moment=st.datetimes(timezones=st.just(UTC)))
def test_every_moment_is_in_a_window_or_in_its_complement(start, end, moment):
    """With all days, a window and the one from its end to its start share no moment and leave none out."""
    if start == end:
        return
    every = frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})
    one = SealSettings(force=False, probability=1, days=every, start=start, end=end)
    other = SealSettings(force=False, probability=1, days=every, start=end, end=start)
    assert bool(why_not_at(one, moment, UTC)) is not bool(why_not_at(other, moment, UTC))
