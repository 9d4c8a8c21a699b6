"""Whether numbers that were drawn come from a distribution: the test of Kolmogorov and Smirnov."""

import math
from collections.abc import Callable, Sequence


def fits(drawn: Sequence[float], distribution: Callable[[float], float], *, level: float = 0.001) -> bool:
    """Whether the largest distance to the distribution function is one that chance explains at that level.

    The critical value is the one of large numbers, sqrt(-ln(level / 2) / (2 n)); from 35 on it is near enough
    (Massey, The Kolmogorov-Smirnov test for goodness of fit, 1951).
    """
    count = len(drawn)
    assert count >= 35
    distance = 0.0
    for rank, value in enumerate(sorted(drawn)):
        expected = distribution(value)
        distance = max(distance, expected - rank / count, (rank + 1) / count - expected)
    return distance < math.sqrt(-math.log(level / 2) / (2 * count))
