from hypothesis import given
from hypothesis import strategies as st

from seatrial.runtime.randomness import Randomness, new_seed


@given(st.one_of(st.integers(), st.text()), st.lists(st.one_of(st.integers(), st.text(), st.none())))
def test_the_same_seed_and_place_give_the_same_numbers(seed, names):
    """A stream depends on the seed and on where it is used, and on nothing else."""
    one, two = Randomness(seed).stream(*names), Randomness(seed).stream(*names)
    assert [one.random() for _ in range(5)] == [two.random() for _ in range(5)]


def test_places_and_seeds_don_t_share_numbers():
    """Another step, another round or another seed draws other numbers."""
    draws = [Randomness(seed).stream(place).random() for seed in (1, 2) for place in ("a", "b")]
    assert len(set(draws)) == 4


def test_a_seed_given_as_number_or_text_is_the_same():
    """`--seed 7` and `seed: 7` in a policy choose the same victims."""
    assert Randomness(7).stream("x").random() == Randomness("7").stream("x").random()


def test_new_seeds_differ():
    """A seed nobody chose is a new one each time."""
    assert len({new_seed() for _ in range(20)}) > 1
