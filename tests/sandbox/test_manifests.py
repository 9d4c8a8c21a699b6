"""Reading manifests."""

import io
from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.sandbox.manifests import read_manifests

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_goldpinger_example() -> None:
    """The example holds what goldpinger needs, in the order in which it can be applied."""
    kinds = [document["kind"] for _, document in read_manifests([EXAMPLES / "manifests" / "goldpinger.yml"])]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "Deployment", "Service"]


def test_documents_lists_and_empty_documents(tmp_path: Path) -> None:
    """Documents come in order, a List is its items, empty documents don't count, JSON is YAML."""
    (tmp_path / "a.yml").write_text(
        "---\n---\napiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: Pod}\n- {apiVersion: v1, kind: Secret}\n"
    )
    (tmp_path / "b.json").write_text('{"apiVersion": "v1", "kind": "Service"}')
    found = read_manifests([tmp_path / "a.yml", tmp_path / "b.json"])
    assert [document["kind"] for _, document in found] == ["Pod", "Secret", "Service"]
    assert found[1][0].endswith("a.yml, document 2, item 2")


def test_keys_are_texts_as_to_kubectl(tmp_path: Path) -> None:
    """A key that YAML 1.1 reads as a truth value or a number is one of JSON all the same."""
    (tmp_path / "a.yml").write_text("{apiVersion: v1, kind: Pod, spec: {nodeSelector: {no: where, 7: seven}}}")
    [(_, document)] = read_manifests([tmp_path / "a.yml"])
    assert document["spec"]["nodeSelector"] == {"false": "where", "7": "seven"}


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO("{apiVersion: v1, kind: Pod}"))
    assert len(read_manifests([Path("-")])) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "isn't valid YAML"),
        (b"\xff\xfe\xfa", "isn't valid YAML"),
        (b"just text", "document 1: not a Kubernetes object"),
        (b"{kind: Pod, ~: 1}", "the key None is no text"),
        (b"[" * 3000, "nested too deeply"),
        (b"kind: Pod", "needs apiVersion and kind"),
        (b"!!python/object:os.system {}", "isn't valid YAML"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, content: bytes, message: str) -> None:
    """Anything else is an error that names file and document."""
    (tmp_path / "x.yml").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_manifests([tmp_path / "x.yml"])


def test_missing_file(tmp_path: Path) -> None:
    """A file that isn't there is said."""
    with pytest.raises(UsageError, match="No such file"):
        read_manifests([tmp_path / "nothing.yml"])
