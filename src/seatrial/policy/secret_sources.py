"""Values of a policy that nobody may see, and where they are read from when the policy only names them.

What hides secrets in the text of a policy is `secrets`, which every run needs and which knows no models.
"""

from pydantic import SecretStr

from seatrial.policy.base import OneKey, option

Secret = SecretStr
"""A text that nobody may see: it is written back as asterisks, and no message repeats it."""


class SecretSource(OneKey):
    """Where a secret is read from when a run begins, and a file again before each use."""

    env: str = option(min_length=1)
    """An environment variable of Seatrial's."""

    file: str = option(min_length=1)
    """A file, such as one that a Kubernetes Secret is mounted as; white space around what stands in it is left out."""
