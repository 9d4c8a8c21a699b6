"""Durations as Go prints them, since Kubernetes' messages hold them."""


def go_duration(seconds: float) -> str:
    """Like Go's `time.Duration.String`: `10s`, `1m20s`, `5m0s`, `1.5s`, `200ms`."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
