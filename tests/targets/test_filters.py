import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seatrial.kube.objects import ObjectMeta, Pod, PodStatus
from seatrial.targets.filters import DayTime, PodFilter, filter_pods, is_within

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday


def pod(name, phase="Running"):
    return Pod(metadata=ObjectMeta(name=name, namespace="default", uid=name), status=PodStatus(phase=phase))


def names(filtered):
    return [each.metadata.name for each in filtered.targets]


def apply(spec, pods, *, seed=1, now=NOW):
    return filter_pods(PodFilter.model_validate(spec), pods, random=random.Random(seed), now=now)


@pytest.mark.parametrize(
    ("value", "kept"),
    [("web", ["web-1", "WEB-2"]), ("b-1", []), (".*-1$", ["web-1", "db-1"]), ("web-1$", ["web-1"])],
)
def test_a_property_is_matched_from_its_start_ignoring_case(value, kept):
    """Regular expressions apply from the start of the name, as PowerfulSeal's do."""
    pods = [pod("web-1"), pod("WEB-2"), pod("db-1")]
    assert names(apply({"property": {"name": "name", "value": value}}, pods)) == kept


def test_a_negative_property_keeps_the_others():
    """`negative` turns a property filter round."""
    spec = {"property": {"name": "name", "value": "web", "negative": True}}
    assert names(apply(spec, [pod("web-1"), pod("db-1")])) == ["db-1"]


def test_a_state_is_what_kubectl_prints():
    """The property state is the STATUS column of `kubectl get pods`."""
    spec = {"property": {"name": "state", "value": "Pending$"}}
    assert names(apply(spec, [pod("a"), pod("b", phase="Pending")])) == ["b"]


@pytest.mark.parametrize(
    ("ratio", "size", "note"),
    [
        (0.5, 1, "0.5 of 3 is 1, rounded down"),
        (1, 3, "1 of 3 is 3"),
        (0, 0, "0 of 3 is 0"),
        (0.34, 1, "0.34 of 3 is 1, rounded down"),
    ],
)
def test_a_ratio_rounds_down_and_says_so(ratio, size, note):
    """Half of three pods is one, and the note tells."""
    filtered = apply({"randomSample": {"ratio": ratio}}, [pod(name) for name in "abc"])
    assert (len(filtered.targets), filtered.note) == (size, note)


@given(st.integers(0, 20), st.integers(0, 30), st.integers())
def test_a_sample_of_a_size_has_it_or_all_and_no_pod_twice(count, size, seed):
    """A size larger than the set takes the whole set."""
    filtered = apply({"randomSample": {"size": size}}, [pod(str(number)) for number in range(count)], seed=seed)
    assert len(set(names(filtered))) == len(filtered.targets) == min(size, count)


def test_the_same_seed_samples_the_same_pods():
    """The choice depends on the seed alone, and not every seed makes the same one."""
    pods = [pod(str(number)) for number in range(10)]
    spec = {"randomSample": {"size": 3}}
    choices = [tuple(names(apply(spec, pods, seed=seed))) for seed in range(10)]
    assert choices == [tuple(names(apply(spec, pods, seed=seed))) for seed in range(10)]
    assert len(set(choices)) > 1


def test_probability_passes_all_or_none():
    """Over many seeds, all pods pass about as often as asked, and never only some."""
    pods = [pod(name) for name in "abc"]
    sizes = [len(apply({"probability": 0.3}, pods, seed=seed).targets) for seed in range(1000)]
    assert set(sizes) == {0, 3}
    assert 240 < sizes.count(3) < 360


@pytest.mark.parametrize(("probability", "size"), [(0, 0), (1, 3)])
def test_a_certain_probability_is_certain(probability, size):
    """0 never passes and 1 always does."""
    for seed in range(50):
        assert len(apply({"probability": probability}, [pod(name) for name in "abc"], seed=seed).targets) == size


def window(**given):
    return DayTime.model_validate({"timezone": "UTC", **given})


def at(hour, minute=0, second=0):
    return {"hour": hour, "minute": minute, "second": second}


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-11-20T09:59:59", False),
        ("2026-11-20T10:00:00", True),
        ("2026-11-20T15:59:59", True),
        ("2026-11-20T16:00:01", False),
        ("2026-11-21T12:00:00", False),
    ],
)
def test_a_window_holds_on_its_days_from_start_to_end(now, inside):
    """Friday from 10:00:00 to 16:00:00, both included."""
    spec = window(onlyDays=["friday"], startTime=at(10), endTime=at(16))
    assert is_within(spec, datetime.fromisoformat(now).replace(tzinfo=UTC)) is inside


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-11-20T22:00:00", True),
        ("2026-11-21T05:59:00", True),
        ("2026-11-21T06:00:01", False),
        ("2026-11-21T22:30:00", False),
        ("2026-11-20T03:00:00", False),
    ],
)
def test_a_window_across_midnight_belongs_to_the_day_it_began(now, inside):
    """Friday 22:00 to 06:00 holds on Saturday at 05:59, not on Friday at 03:00."""
    spec = window(onlyDays=["friday"], startTime=at(22), endTime=at(6))
    assert is_within(spec, datetime.fromisoformat(now).replace(tzinfo=UTC)) is inside


def test_times_are_meant_in_the_windows_zone():
    """10:30 in Vienna is 09:30 UTC in winter."""
    spec = window(timezone="Europe/Vienna", startTime=at(10), endTime=at(11))
    assert is_within(spec, datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
    assert not is_within(spec, datetime(2026, 11, 20, 10, 30, tzinfo=UTC))


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 -- the zone is added below
    st.integers(0, 86399),
    st.integers(0, 86399),
)
def test_a_window_and_the_one_between_its_ends_cover_the_day(moment, start, end):
    """Every moment is in the window from start to end or in the one from end to start, on all days."""
    assume(start != end)

    def time_of(seconds):
        return at(seconds // 3600, seconds // 60 % 60, seconds % 60)

    now = moment.replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    one = window(timezone="Asia/Tokyo", startTime=time_of(start), endTime=time_of(end))
    other = window(timezone="Asia/Tokyo", startTime=time_of(end), endTime=time_of(start))
    assert is_within(one, now) or is_within(other, now)


def test_a_closed_window_says_when_it_is_open():
    """An empty set is explained by the hours."""
    filtered = apply({"dayTime": {"startTime": at(13), "timezone": "UTC"}}, [pod("a")], now=NOW - timedelta(hours=1))
    assert filtered.targets == ()
    assert "13:00:00-23:59:59 (UTC)" in filtered.note
