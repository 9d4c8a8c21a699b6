"""Events that say nearly the same."""

from seatrial.sandbox.rules.similar_events import SimilarEvents


class Clock:
    """A clock that a test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_the_tenth_message_stands_for_all_later_ones() -> None:
    """Nine messages are told as they are; later ones count up a single event with the latest message."""
    similar = SimilarEvents(clock=Clock())
    keys = {similar.combine("scaled", f"to {number}")[0] for number in range(9)}
    assert len(keys) == 9
    tenth = similar.combine("scaled", "to 9")
    eleventh = similar.combine("scaled", "to 10")
    assert tenth[1] == "(combined from similar events): to 9"
    assert eleventh == (tenth[0], "(combined from similar events): to 10")
    assert tenth[0] not in keys


def test_a_known_message_and_other_groups_stay_apart() -> None:
    """What was told before the ninth is still counted by itself, and another group starts from nothing."""
    similar = SimilarEvents(clock=Clock())
    first = similar.combine("scaled", "to 0")
    for number in range(1, 12):
        similar.combine("scaled", f"to {number}")
    assert similar.combine("scaled", "to 0") == first
    assert similar.combine("created", "to 11")[1] == "to 11"


def test_a_silence_forgets() -> None:
    """After ten minutes without any, messages are told one by one again."""
    clock = Clock()
    similar = SimilarEvents(clock=clock)
    for number in range(12):
        similar.combine("scaled", f"to {number}")
    clock.seconds = 601
    assert similar.combine("scaled", "to 12")[1] == "to 12"
