"""What the plans of steps with actions have in common: the actions in words, and each sentence once."""

from collections.abc import Iterable, Sequence

from seatrial.policy.base import OneKey


def in_words(chosen: OneKey) -> str:
    """An action with what was said of it: "kill (force)", "checkPodCount (count 0)", "drain (timeout 120)"."""
    said = chosen.spec.model_dump(exclude_unset=True)
    words = [key if value is True else f"{key} {_shown(value)}" for key, value in said.items() if value is not False]
    return f"{chosen.key} ({', '.join(words)})" if words else chosen.key


def each_once(texts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The sentences of several actions, in order, without repetition."""
    return tuple(dict.fromkeys(text for several in texts for text in several))


def _shown(value: object) -> str:
    """A value as YAML has it on one line; of a choice that says nothing more, its name: "apiServer"."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case dict() if len(value) == 1 and not any(value.values()):
            return str(next(iter(value)))
        case dict():
            return "{" + ", ".join(f"{key}: {_shown(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)
