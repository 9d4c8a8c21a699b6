"""What stored objects have in common is kept once, and nothing changes by it."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.sandbox.apiserver.sharing import Sharing
from seatrial.sandbox.apiserver.store import Store

# Few keys and texts: sharing is about what repeats, and hypothesis draws them in no time.
_keys = st.sampled_from(["", "a", "b", "c", "ab", "a" * 20])
_scalars = st.none() | st.booleans() | st.integers(0, 2) | st.floats(0, 2) | st.sampled_from(["", "a", "b", "ab"])
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=30,
)
_objects = st.fixed_dictionaries({"metadata": st.dictionaries(_keys, _values, max_size=4), "spec": _values})


def _pod(name: str, **labels: str) -> dict[str, Any]:
    ports = [{"containerPort": number, "protocol": "TCP", "name": f"port-{number}"} for number in (80, 443)]
    return {"metadata": {"name": name, "labels": labels}, "spec": {"nodeName": name, "ports": ports}}


@settings(max_examples=50)
@given(st.lists(_objects, max_size=4))
def test_what_is_shared_reads_as_what_was_given(objects: list[dict[str, Any]]) -> None:
    """Sharing changes no byte of an object's JSON: true stays apart from 1, and 1 from 1.0."""
    sharing = Sharing(most_known=2)
    old: dict[str, Any] = {}
    for new in objects:
        text = json.dumps(new)
        shared = sharing.of_object(new, old)
        assert json.dumps(shared) == json.dumps(new) == text
        old = shared


def test_a_new_version_shares_what_did_not_change() -> None:
    """A version with another label has the previous one's spec."""
    store = Store()
    first = store.put("pods", "", "a", _pod("a"))
    second = store.put("pods", "", "a", _pod("a", app="web"))
    assert second.object["spec"] is first.object["spec"]


def test_objects_of_one_template_share_its_parts() -> None:
    """From the third of its kind on, an object holds no copy of what the others hold."""
    store = Store()
    specs = [store.put("pods", "", name, _pod(name)).object["spec"] for name in "abcd"]
    assert specs[2]["ports"] is specs[3]["ports"]


def test_parts_not_seen_for_long_are_forgotten() -> None:
    """The memory of parts is bounded."""
    sharing = Sharing(most_known=10)
    for number in range(1000):
        sharing.of_object(_pod(str(number // 2), number=str(number)), {})
    assert max(len(sharing._known), len(sharing._seen)) <= 10
