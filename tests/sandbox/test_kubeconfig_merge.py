"""Adding a sandbox's context to the user's kubeconfig."""

from pathlib import Path

import pytest
import yaml

from seatrial.errors import ConfigurationError, StateError
from seatrial.sandbox.kubeconfig_merge import merge_context, user_kubeconfig

OWN = """
apiVersion: v1
kind: Config
clusters: [{name: seatrial-sandbox, cluster: {server: "https://127.57.0.1:6443", certificate-authority-data: QQ==}}]
users: [{name: admin, user: {token: secret}}]
contexts: [{name: seatrial-sandbox, context: {cluster: seatrial-sandbox, user: admin}}]
current-context: seatrial-sandbox
"""

OTHERS = """
apiVersion: v1
kind: Config
preferences: {colors: true}
clusters: [{name: prod, cluster: {server: "https://prod", insecure-skip-tls-verify: true}}]
users: [{name: me, user: {auth-provider: {config: {expiry: 2026-01-02T03:04:05Z}}}}]
contexts: [{name: prod, context: {cluster: prod, user: me, namespace: blue}}]
current-context: prod
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The sandbox's own kubeconfig."""
    (tmp_path / "own").write_text(OWN)
    return tmp_path / "own"


def test_into_an_existing_file(tmp_path: Path, own: Path) -> None:
    """Everything that was there stays, current context and file mode included; the sandbox's context is added."""
    into = tmp_path / "config"
    into.write_text(OTHERS)
    into.chmod(0o640)
    merge_context(own, into, name="seatrial-sandbox")
    before, after = (yaml.load(text, yaml.BaseLoader) for text in (OTHERS, into.read_text()))  # noqa: S506 -- it makes text only
    assert after["current-context"] == "prod"
    assert after["preferences"] == before["preferences"]
    for section in ("clusters", "users", "contexts"):
        assert after[section][0] == before[section][0]
        assert after[section][1]["name"] == "seatrial-sandbox"
    assert after["contexts"][1]["context"] == {"cluster": "seatrial-sandbox", "user": "seatrial-sandbox"}
    assert "2026-01-02T03:04:05Z" in into.read_text()
    assert into.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "own"]


def test_again(tmp_path: Path, own: Path) -> None:
    """Merging again refreshes the context instead of adding another one."""
    into = tmp_path / "config"
    merge_context(own, into, name="seatrial-sandbox")
    own.write_text(OWN.replace("127.57.0.1", "127.58.0.1"))
    merge_context(own, into, name="seatrial-sandbox")
    after = yaml.safe_load(into.read_text())
    assert [len(after[section]) for section in ("clusters", "users", "contexts")] == [1, 1, 1]
    assert after["clusters"][0]["cluster"]["server"] == "https://127.58.0.1:6443"


def test_into_no_file(tmp_path: Path, own: Path) -> None:
    """Without a file one is made, for its owner alone, and the sandbox is its current context."""
    into = tmp_path / ".kube" / "config"
    merge_context(own, into, name="seatrial-sandbox-two")
    assert yaml.safe_load(into.read_text())["current-context"] == "seatrial-sandbox-two"
    assert into.stat().st_mode & 0o777 == 0o600


def test_through_a_symbolic_link(tmp_path: Path, own: Path) -> None:
    """A link to the kubeconfig stays a link."""
    (tmp_path / "real").write_text(OTHERS)
    (tmp_path / "config").symlink_to("real")
    merge_context(own, tmp_path / "config", name="seatrial-sandbox")
    assert (tmp_path / "config").is_symlink()
    assert "127.57.0.1" in (tmp_path / "real").read_text()


@pytest.mark.parametrize("text", ["[1, 2]", "just text", "clusters: {a: b}", "a: [", "\t"])
def test_what_is_no_kubeconfig_stays_untouched(tmp_path: Path, own: Path, text: str) -> None:
    """A file that isn't a kubeconfig is left alone."""
    into = tmp_path / "config"
    into.write_text(text)
    with pytest.raises(ConfigurationError):
        merge_context(own, into, name="seatrial-sandbox")
    assert into.read_text() == text


def test_while_kubectl_writes(tmp_path: Path, own: Path) -> None:
    """The lock file of kubectl is respected."""
    into = tmp_path / "config"
    (tmp_path / "config.lock").write_text("")
    with pytest.raises(StateError, match=r"config\.lock exists"):
        merge_context(own, into, name="seatrial-sandbox")
    assert not into.exists()


def test_user_kubeconfig(tmp_path: Path) -> None:
    """The first existing file of KUBECONFIG's list, else its last; without it ~/.kube/config."""
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    two.write_text("")
    assert user_kubeconfig({"KUBECONFIG": f"{one}:{two}:{three}"}) == two
    assert user_kubeconfig({"KUBECONFIG": f"{one}:{three}"}) == three
    assert user_kubeconfig({}) == Path.home() / ".kube" / "config"
