"""Figures of judgements in words."""


def time_in_words(seconds: float) -> str:
    """A time with three digits at most: `640 ms`, `4.13 s`, `310 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"


def percent(share: float) -> str:
    """A share with as many digits as tell it from all and from nothing: `37 %`, `97.6 %`, `99.953 %`."""
    if share in {0.0, 1.0}:
        return f"{share * 100:.0f} %"
    digits = 0
    while digits < _MOST_DIGITS and not _is_told(share, digits):
        digits += 1
    return f"{share * 100:.{digits}f} %"


_MOST_DIGITS = 6


def _is_told(share: float, digits: int) -> bool:
    """Whether so many digits tell it from all and nothing; near all, two digits of what is missing."""
    if round(share * 100, digits) in {0.0, 100.0}:
        return False
    return share <= 0.9 or (1 - share) * 100 >= 10 ** (1 - digits)
