"""Which of the matched targets stay: filters apply in the order written, each to what the one before left.

`property` looks at each target; `dayTime` and `probability` let all pass or none; `randomSample` picks some.
"""

import random
import re
import warnings
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AfterValidator, Field

from seatrial.kube.objects import Pod
from seatrial.kube.pod_status import printed_status
from seatrial.policy.base import Complaint, Model, OneKey, complain, option
from seatrial.policy.scalars import Fraction, Integer, Items
from seatrial.policy.wording import quote

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = get_args(Day)


@cache
def _compiled(value: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # '[[' may mean something else in a Python to come
        return re.compile(value, re.IGNORECASE)


def _as_regex(value: str) -> str:
    try:
        _compiled(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise complain(f"is no valid regular expression: {error}") from None
    return value


def _as_timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise complain(
            f"is {quote(value)}, which is no timezone of the IANA database (such as Europe/Vienna)"
        ) from None
    return value


Regex = Annotated[str, AfterValidator(_as_regex)]
"""A regular expression of Python's `re`, compared from the start of the text, ignoring case."""

Timezone = Annotated[str, AfterValidator(_as_timezone)]
"""The name of a timezone in the IANA database."""


class PodProperty(Model):
    """Keep the pods whose property matches a regular expression."""

    name: Literal["name", "state"]
    """The pod's name, or its state as `kubectl get pods` prints it."""

    value: Regex
    """A regular expression, compared from the start of the property, ignoring case;
    end it with `$` to compare the whole."""

    negative: bool = False
    """Keep the pods that don't match instead."""


class TimeOfDay(Model):
    """A time of the day."""

    hour: Annotated[Integer, Field(ge=0, le=23)]
    """0 to 23."""

    minute: Annotated[Integer, Field(ge=0, le=59)] = 0
    """0 to 59."""

    second: Annotated[Integer, Field(ge=0, le=59)] = 0
    """0 to 59."""


class DayTime(Model):
    """Let all targets pass at these times, none at others."""

    only_days: Items[Day] = DAYS
    """The days of the week."""

    start_time: TimeOfDay | None = None
    """When the window opens; without it, at midnight. A window whose end lies before its start crosses midnight."""

    end_time: TimeOfDay | None = None
    """When the window closes; without it, at midnight."""

    timezone: Timezone | None = None
    """The IANA name of the timezone that days and times are meant in, such as `Europe/Vienna`;
    without it, the local time of the machine that Seatrial runs on."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """A filter that says no time would let everything pass."""
        if all(given.get(key) is None for key in ("onlyDays", "startTime", "endTime")):
            yield Complaint("says no time; needs at least one of: onlyDays, startTime, endTime")


class RandomSample(Model):
    """Keep some targets, picked at random."""

    size: Annotated[Integer, Field(ge=0)] | None = None
    """How many to keep; all, where there are fewer."""

    ratio: Fraction | None = None
    """The share to keep, from 0 to 1, rounded down: 0.5 of three is one."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Exactly one of both."""
        said = [key for key in ("size", "ratio") if given.get(key) is not None]
        if not said:
            yield Complaint("needs exactly one of: size, ratio")
        if len(said) == 2:
            yield Complaint("has both size and ratio; exactly one is allowed")


class PodFilter(OneKey):
    """Decides which of the matched pods stay."""

    property_: PodProperty = option(alias="property")
    """Keep the pods whose property matches a regular expression."""

    day_time: DayTime = option()
    """Let all pods pass at these times, none at others."""

    random_sample: RandomSample = option()
    """Keep some pods, picked at random."""

    probability: Fraction = option()
    """Let all pods pass with this probability, else none."""


class Filtered(NamedTuple):
    """What a filter left, and a note on how it decided where that isn't plain."""

    pods: Sequence[Pod]
    note: str = ""


def filter_pods(chosen: PodFilter, pods: Sequence[Pod], *, random: random.Random, now: datetime) -> Filtered:
    """Apply one filter; `now` is an aware time."""
    spec = chosen.spec
    if isinstance(spec, PodProperty):
        return Filtered([pod for pod in pods if _has_property(pod, spec)])
    if isinstance(spec, DayTime):
        return _at_day_time(spec, pods, now=now)
    if isinstance(spec, RandomSample):
        return _sample(spec, pods, random=random)
    passes = random.random() < spec
    return Filtered(pods if passes else (), f"passed by probability {spec:g}" if passes else f"probability {spec:g}")


def is_within(spec: DayTime, now: datetime) -> bool:
    """Whether a time is in the window; start and end belong to it.

    A window that crosses midnight belongs to the day on which it began.
    """
    local = now.astimezone(zoneinfo.ZoneInfo(spec.timezone) if spec.timezone else None)
    clock = local.time().replace(microsecond=0)
    start = _time_of(spec.start_time, time.min)
    end = _time_of(spec.end_time, time(23, 59, 59))
    if start <= end:
        return start <= clock <= end and _day_of(local) in spec.only_days
    if clock >= start:
        return _day_of(local) in spec.only_days
    return clock <= end and _day_of(local - timedelta(days=1)) in spec.only_days


def _has_property(pod: Pod, spec: PodProperty) -> bool:
    value = pod.metadata.name if spec.name == "name" else printed_status(pod)
    return bool(_compiled(spec.value).match(value)) is not spec.negative


def _at_day_time(spec: DayTime, pods: Sequence[Pod], *, now: datetime) -> Filtered:
    if is_within(spec, now):
        return Filtered(pods)
    zone = spec.timezone or "local time"
    return Filtered((), f"outside its hours: {_hours(spec)} ({zone}), {', '.join(spec.only_days)}")


def _sample(spec: RandomSample, pods: Sequence[Pod], *, random: random.Random) -> Filtered:
    if spec.ratio is None:
        size = min(spec.size or 0, len(pods))
        return Filtered(random.sample(list(pods), size))
    size = int(len(pods) * spec.ratio)
    rounded = "" if size == len(pods) * spec.ratio else ", rounded down"
    return Filtered(random.sample(list(pods), size), f"{spec.ratio:.4g} of {len(pods)} is {size}{rounded}")


def _hours(spec: DayTime) -> str:
    start, end = _time_of(spec.start_time, time.min), _time_of(spec.end_time, time(23, 59, 59))
    return f"{start:%H:%M:%S}-{end:%H:%M:%S}"


def _time_of(spec: TimeOfDay | None, default: time) -> time:
    return time(spec.hour, spec.minute, spec.second) if spec else default


def _day_of(moment: datetime) -> Day:
    return DAYS[moment.weekday()]
