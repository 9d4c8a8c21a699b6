import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.apiserver.go_time import complaint_about


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("soon", 'as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"'),
        ("2024-01-02 15:04:05Z", 'cannot parse " 15:04:05Z" as "T"'),
        ("2024-01-02T15:04:05", 'cannot parse "" as "Z07:00"'),
        ("2024-01-02T15:04:05.5z", 'cannot parse "z" as "Z07:00"'),
        ("2024-13-02T15:04:05Z", '"2024-13-02T15:04:05Z": month out of range'),
        ("2024-02-30T15:04:05Z", '"2024-02-30T15:04:05Z": day out of range'),
        ("2024-02-03T24:04:05Z", '"2024-02-03T24:04:05Z": hour out of range'),
        ("2024-01-02T15:04:05Z\n", 'cannot parse "Z\n" as "Z07:00"'),
    ],
)
def test_what_is_no_time_is_told_in_gos_words(text: str, complaint: str) -> None:
    """Where the parser stops, and what it expected there."""
    found = complaint_about(text)
    assert found.startswith(f'parsing time "{text}"')
    assert found.endswith(complaint)


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_every_moment_is_a_time(moment: dt.datetime) -> None:
    """With and without fractions of a second."""
    assert not complaint_about(moment.isoformat())
    assert not complaint_about(moment.isoformat(timespec="seconds").replace("+00:00", "Z"))
