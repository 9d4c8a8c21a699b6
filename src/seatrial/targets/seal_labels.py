"""What a pod says of itself with `seal/` labels or annotations: whether it may be killed, when, how, how likely.

The keys, values and defaults are PowerfulSeal's. A label wins over an annotation of the same key; an empty one counts
as not given. What a value can't mean is told, and its pod left alone.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Literal

from seatrial.kube.objects import ObjectMeta

ENABLED = "seal/enabled"

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Labels can't hold commas, which PowerfulSeal separates days by: there, a dot or an underscore does.
_SEPARATOR_RE = re.compile(r"[,._]")
_TIME_RE = re.compile(r"([01][0-9]|2[0-3])-([0-5][0-9])-([0-5][0-9])")
_DEFAULTS = {
    ENABLED: "false",
    "seal/force-kill": "false",
    "seal/kill-probability": "1",
    "seal/days": "mon,tue,wed,thu,fri",
    "seal/start-time": "10-00-00",
    "seal/end-time": "17-30-00",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSettings:
    """What a pod asks for; the window begins at `start` and ends before `end`, which may lie on the next day."""

    force: bool
    probability: float
    days: frozenset[Day]
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Values that mean nothing, one sentence each."""

    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(self.problems)


def says_enabled(meta: ObjectMeta) -> str:
    """What an object says of `seal/enabled`: usually `true` or `false`, empty where it says nothing."""
    return _said(meta, ENABLED)


def read_settings(meta: ObjectMeta) -> SealSettings | Unreadable:
    """What a pod asks for, with the defaults for what it doesn't say."""
    given = {key: _said(meta, key) or default for key, default in _DEFAULTS.items()}
    if problems := tuple(_problems(given)):
        return Unreadable(problems)
    return SealSettings(
        force=given["seal/force-kill"] == "true",
        probability=float(given["seal/kill-probability"]),
        days=frozenset(day for day in _DAYS if day in _SEPARATOR_RE.split(given["seal/days"])),
        start=_time(given["seal/start-time"]),
        end=_time(given["seal/end-time"]),
    )


def why_not_at(settings: SealSettings, now: datetime, zone: tzinfo | None) -> str:
    """Why the pod is not to be killed at that moment, empty where it may be; None is the local timezone.

    A window that crosses midnight belongs to the day on which it began.
    """
    local = now.astimezone(zone)
    clock, start, end = local.time(), settings.start, settings.end
    inside = start <= clock < end if start < end else clock >= start or clock < end
    if not inside:
        return f"outside its hours: {_shown(start)}-{_shown(end)}"
    began = local - timedelta(days=1) if start > end and clock < end else local
    if _DAYS[began.weekday()] in settings.days:
        return ""
    days = ",".join(day for day in _DAYS if day in settings.days)
    return f"outside its days: {days}"


def _said(meta: ObjectMeta, key: str) -> str:
    return (meta.labels or {}).get(key) or (meta.annotations or {}).get(key) or ""


def _problems(given: Mapping[str, str]) -> Iterator[str]:
    for key in (ENABLED, "seal/force-kill"):
        if given[key] not in {"true", "false"}:
            yield f"{key} is '{given[key]}', neither true nor false"
    if not _is_probability(given["seal/kill-probability"]):
        yield f"seal/kill-probability is '{given['seal/kill-probability']}', no number from 0 to 1"
    if unknown := [day for day in _SEPARATOR_RE.split(given["seal/days"]) if day not in _DAYS]:
        yield f"seal/days has '{unknown[0]}', which is none of {','.join(_DAYS)}"
    times = [key for key in ("seal/start-time", "seal/end-time") if not _TIME_RE.fullmatch(given[key])]
    for key in times:
        yield f"{key} is '{given[key]}', no time of the form HH-MM-SS"
    if not times and given["seal/start-time"] == given["seal/end-time"]:
        yield f"seal/start-time and seal/end-time are both {given['seal/start-time']}, which leaves no time at all"


def _is_probability(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _time(text: str) -> time:
    hour, minute, second = text.split("-")
    return time(int(hour), int(minute), int(second))


def _shown(moment: time) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
