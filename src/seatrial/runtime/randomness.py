"""Everything random in a run comes from one seed.

Each decision draws from a stream of its own, named by where it is made (round, scenario, step, what for), so that
the same seed on the same cluster makes the same choices, whatever else happened before, and so that
`seatrial plan` and the run that follows it agree.
"""

import random
import secrets


def new_seed() -> int:
    """A seed nobody chose: 32 bits of the operating system's randomness."""
    return secrets.randbits(32)


class Randomness:
    """The source of all random numbers of a run."""

    def __init__(self, seed: int | str) -> None:
        self.seed = seed

    def stream(self, *names: object) -> random.Random:
        """The random numbers for one decision; the same names give the same numbers."""
        path = "/".join(str(name) for name in (self.seed, *names))
        return random.Random(path)  # noqa: S311 -- reproducible on purpose; nothing here is a secret
