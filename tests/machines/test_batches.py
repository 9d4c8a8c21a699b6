"""What is asked about more names than one request may hold."""

from hypothesis import given
from hypothesis import strategies as st

from seatrial.machines.aws_instances import batches


@given(st.lists(st.text(max_size=3)), st.integers(min_value=1, max_value=9))
def test_all_names_are_asked_about_in_their_order_and_never_too_many_at_once(names, most):
    """In as few requests as that takes."""
    asked = list(batches(names, most))
    assert [name for some in asked for name in some] == names
    assert all(1 <= len(some) <= most for some in asked)
    assert len(asked) == -(-len(names) // most)
