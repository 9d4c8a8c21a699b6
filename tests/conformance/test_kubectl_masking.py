"""What counts as the same output, and what doesn't."""

import pytest

from tests.conformance.kubectl_masking import compare_output

GET = ["kubectl", "get", "pods"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("web-849fbbfd5b-5wrl9   1/1   Running   0   4s\n", "web-6d4cf56db6-x2x8k   1/1     Running   0     2m10s\n"),
        ("b-24z5x 0 1s\na-24z5x 1 1s\n", "a-8k9zz 1 3s\nb-8k9zz 0 3s\n"),
        ("pod  10.244.1.5  node1\n", "pod  127.20.1.7  node3\n"),
        ('{"metadata": {"uid": "1", "name": "a"}}', '{"metadata": {"name": "a", "uid": "2"}}'),
        ("Warning: x 2026-11-22T10:49:30Z\n", "Warning: x 2026-01-02T03:04:05Z\n"),
    ],
)
def test_what_varies_by_nature_is_the_same(ours: str, theirs: str) -> None:
    """Generated names, ages, addresses, times, node choice, widths of columns, order of random names."""
    assert compare_output(ours, theirs, argv=GET) == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("web   1/1   Running   0   4s\n", "web   0/1   Running   0   4s\n"),
        ("", "web   1/1   Running   0   4s\n"),
        ('{"spec": {"replicas": 2}}', '{"spec": {"replicas": 3}}'),
        ('{"spec": {}}', '{"spec": {"paused": true}}'),
        ("deployment.apps/web configured\n", "deployment.apps/web unchanged\n"),
    ],
)
def test_what_says_something_else_differs(ours: str, theirs: str) -> None:
    """A state, a line, a value, a field, a word."""
    assert compare_output(ours, theirs, argv=GET) != []


def test_order_counts_where_it_means_something() -> None:
    """What isn't a table is compared line by line."""
    assert compare_output("a\nb\n", "b\na\n", argv=["kubectl", "apply", "-f", "x"]) != []
