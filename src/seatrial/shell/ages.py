"""How long ago something was, as kubectl writes it: `45s`, `3m20s`, `5h12m`, `2d3h`, `40d`.

The thresholds are those of Kubernetes' own `duration.HumanDuration` (k8s.io/apimachinery).
"""

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY


def age_seconds(moment: datetime | None, *, now: datetime) -> int | None:
    """Whole seconds since then; none for what was not; 0 where clocks disagree."""
    return None if moment is None else max(0, int((now - moment).total_seconds()))


def age_text(seconds: int | None) -> str:
    """The seconds as people read them."""
    if seconds is None:
        return ""
    for limit, unit, name, smaller, smaller_name in _FORMS:
        if limit is None or seconds < limit:
            rest = seconds % unit // smaller if smaller else 0
            return f"{seconds // unit}{name}{f'{rest}{smaller_name}' if rest else ''}"
    raise AssertionError("the last form has no limit")


# Below this many seconds: the unit and what is said besides.
_FORMS: tuple[tuple[int | None, int, str, int, str], ...] = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    (None, _YEAR, "y", 0, ""),
)


def utc_text(moment: datetime | None) -> str | None:
    """A moment as Kubernetes writes it (RFC 3339, UTC), for JSON."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
