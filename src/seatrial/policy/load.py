"""From a file to a policy, or to everything that is wrong with it."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from seatrial.errors import ConfigurationError
from seatrial.policy.base import Model
from seatrial.policy.document import LARGEST_BYTES, UnreadableDocument, read_document
from seatrial.policy.problems import InvalidPolicy, from_flaw, from_validation
from seatrial.policy.wording import printable

M = TypeVar("M", bound=Model)


def load_policy(source: Path | bytes, *, model: type[M], name: str | None = None) -> M:
    """Read and check a whole file.

    Args:
        source: the file, or what stands in it.
        model: what the file must be, such as `steps.registry.policy_model()`.
        name: what to call the file in messages; its path where it has one.

    Raises:
        InvalidPolicy: with all problems of the file.
        ConfigurationError: the file can't be read.
    """
    shown = name or (str(source) if isinstance(source, Path) else "policy")
    content = read_policy(source, name=shown) if isinstance(source, Path) else source
    try:
        document = read_document(content)
    except UnreadableDocument as error:
        raise InvalidPolicy(shown, [from_flaw(error.flaw)], error.lines) from None
    problems = [from_flaw(flaw) for flaw in document.flaws]
    try:
        policy = model.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        problems += from_validation(error, document)
    else:
        if not problems:
            return policy
    raise InvalidPolicy(shown, problems, document.lines)


def read_policy(path: Path, *, name: str | None = None) -> bytes:
    """What stands in a file, as far as a policy may be long.

    Raises:
        ConfigurationError: it can't be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"can't read {printable(name or str(path))}: {reason}") from error
