"""Which of the matched targets stay: filters apply in the order written, each to what the one before left.

`property` looks at each target; `dayTime` and `probability` let all pass or none; `randomSample` picks some.
"""

import random
import re
import warnings
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, Field

from seatrial.kube.objects import Pod
from seatrial.kube.pod_status import printed_status
from seatrial.policy.base import Complaint, Model, OneKey, complain, option
from seatrial.policy.scalars import Fraction, Integer, Items
from seatrial.policy.times import DAYS, Day, TimeOfDay, Timezone

T = TypeVar("T")


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


Regex = Annotated[str, AfterValidator(_as_regex)]
"""A regular expression of Python's `re`, compared from the start of the text, ignoring case."""


class PodProperty(Model):
    """Keep the pods whose property matches a regular expression."""

    name: Literal["name", "state"]
    """The pod's name, or its state as `kubectl get pods` prints it."""

    value: Regex
    """A regular expression, compared from the start of the property, ignoring case;
    end it with `$` to compare the whole."""

    negative: bool = False
    """Keep the pods that don't match instead."""


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


class Filtered(NamedTuple, Generic[T]):
    """What a filter left, and a note on how it decided where that isn't plain."""

    targets: Sequence[T]
    note: str = ""


def filter_pods(chosen: PodFilter, pods: Sequence[Pod], *, random: random.Random, now: datetime) -> Filtered[Pod]:
    """Apply one filter; `now` is an aware time."""
    return filter_targets(chosen.spec, pods, has_property=_has_property, random=random, now=now)


def filter_targets(
    spec: Any,
    targets: Sequence[T],
    *,
    has_property: Callable[[T, Any], bool],
    random: random.Random,
    now: datetime,
) -> Filtered[T]:
    """Apply one filter to pods or nodes; `has_property` is asked where the filter is neither of those they share."""
    if isinstance(spec, DayTime):
        return _at_day_time(spec, targets, now=now)
    if isinstance(spec, RandomSample):
        return _sample(spec, targets, random=random)
    if not isinstance(spec, float):
        return Filtered([target for target in targets if has_property(target, spec)])
    passes = random.random() < spec
    words = f"passed by probability {spec:g}" if passes else f"probability {spec:g}"
    return Filtered(targets if passes else (), words)


def reads_status(chosen: PodFilter) -> bool:
    """Whether a filter looks at more of a pod than its metadata."""
    return isinstance(chosen.spec, PodProperty) and chosen.spec.name == "state"


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
    return any_matches(spec.value, [value]) is not spec.negative


def any_matches(regex: str, values: Sequence[str]) -> bool:
    """Whether a `Regex` matches the beginning of one of these texts."""
    return any(_compiled(regex).match(value) for value in values)


def _at_day_time(spec: DayTime, targets: Sequence[T], *, now: datetime) -> Filtered[T]:
    if is_within(spec, now):
        return Filtered(targets)
    zone = spec.timezone or "local time"
    return Filtered((), f"outside its hours: {_hours(spec)} ({zone}), {', '.join(spec.only_days)}")


def _sample(spec: RandomSample, targets: Sequence[T], *, random: random.Random) -> Filtered[T]:
    if spec.ratio is None:
        size = min(spec.size or 0, len(targets))
        return Filtered(random.sample(list(targets), size))
    size = int(len(targets) * spec.ratio)
    rounded = "" if size == len(targets) * spec.ratio else ", rounded down"
    return Filtered(random.sample(list(targets), size), f"{spec.ratio:.4g} of {len(targets)} is {size}{rounded}")


def _hours(spec: DayTime) -> str:
    start, end = _time_of(spec.start_time, time.min), _time_of(spec.end_time, time(23, 59, 59))
    return f"{start:%H:%M:%S}-{end:%H:%M:%S}"


def _time_of(spec: TimeOfDay | None, default: time) -> time:
    return spec.as_time() if spec else default


def _day_of(moment: datetime) -> Day:
    return DAYS[moment.weekday()]
