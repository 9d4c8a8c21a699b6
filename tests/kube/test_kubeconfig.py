"""Kubeconfig files: found, merged, and refused with the place of the mistake."""

import os
from pathlib import Path

import pytest

from seatrial.errors import ConfigurationError
from seatrial.kube.access import find_access
from seatrial.kube.client import connect
from seatrial.kube.kubeconfig import Kubeconfig

_FIRST = """
current-context: one
clusters: [{name: c, cluster: {server: "https://one", certificate-authority: pki/ca.crt}}]
users: [{name: u, user: {tokenFile: secret/token, client-certificate: me.crt, client-key: /abs/me.key}}]
contexts:
- {name: one, context: {cluster: c, user: u, namespace: team}}
"""
_SECOND = """
current-context: two
clusters: [{name: c, cluster: {server: "https://ignored"}}, {name: d, cluster: {server: "https://two"}}]
users: [{name: u, user: {token: ignored}}, {name: v, user: {token: 123e4}}]
contexts:
- {name: one, context: {cluster: d, user: v}}
- {name: two, context: {cluster: d, user: v}}
"""


def _write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def _both(tmp_path: Path) -> list[Path]:
    return [_write(tmp_path / "a", "first", _FIRST), _write(tmp_path / "b", "second", _SECOND)]


def test_of_several_files_the_first_that_has_an_entry_wins(tmp_path: Path) -> None:
    """As KUBECONFIG lists them: entries are merged by name, never mixed."""
    merged = Kubeconfig.read(_both(tmp_path))
    assert merged.current_context == "one"
    assert merged.access().cluster.server == "https://one"
    assert merged.access("two").cluster.server == "https://two"
    assert merged.access("one").namespace == "team"
    assert merged.access("two").namespace == "default"


def test_paths_are_relative_to_the_file_they_stand_in(tmp_path: Path) -> None:
    """Also when that file is one of several."""
    access = Kubeconfig.read(_both(tmp_path)).access("one")
    assert access.cluster.certificate_authority == str(tmp_path / "a" / "pki" / "ca.crt")
    assert access.user.token_file == str(tmp_path / "a" / "secret" / "token")
    assert access.user.client_key == "/abs/me.key"


def test_a_token_that_looks_like_a_number_stays_as_it_is(tmp_path: Path) -> None:
    """YAML would make a float of 123e4."""
    assert Kubeconfig.read(_both(tmp_path)).access("two").user.token == "123e4"


def test_null_is_the_same_as_absent(tmp_path: Path) -> None:
    """Tools write `users: null`."""
    path = _write(
        tmp_path,
        "k",
        "current-context: x\nusers: null\npreferences: {}\n"
        "clusters: [{name: c, cluster: {server: 'https://x', proxy-url: null}}]\n"
        "contexts: [{name: x, context: {cluster: c, user: ''}}]\n",
    )
    assert Kubeconfig.read([path]).access().cluster.proxy_url == ""


def test_the_environment_lists_files_and_missing_ones_are_skipped(tmp_path: Path) -> None:
    """KUBECONFIG may name files that aren't there (yet)."""
    first, second = _both(tmp_path)
    listed = os.pathsep.join([str(tmp_path / "missing"), str(second), str(first)])
    assert find_access(environ={"KUBECONFIG": listed}).context_name == "two"


def test_the_flag_goes_before_the_environment_and_that_before_the_home(tmp_path: Path) -> None:
    """Each place is only looked at when none before it was named."""
    first, second = _both(tmp_path)
    _write(tmp_path / ".kube", "config", _SECOND.replace("current-context: two", "current-context: one"))
    environ = {"HOME": str(tmp_path)}
    assert find_access(environ=environ).cluster.server == "https://two"
    assert find_access(environ={**environ, "KUBECONFIG": str(second)}).context_name == "two"
    assert find_access(kubeconfig=first, environ={**environ, "KUBECONFIG": str(second)}).context_name == "one"


async def test_without_any_cluster_all_places_are_named() -> None:
    """One line says what was tried; the hint says how to go on without a cluster."""
    with pytest.raises(ConfigurationError) as refused:
        await connect()
    message = refused.value.message
    assert "\n" not in message
    for place in ("--kubeconfig (not given)", "KUBECONFIG (not set)", ".kube/config (does not exist)", "in-cluster"):
        assert place in message
    assert "--sandbox" in refused.value.hint


def test_an_empty_file_is_named_among_the_places(tmp_path: Path) -> None:
    """A kubeconfig without contexts leads nowhere, and is said to."""
    path = _write(tmp_path, "k", "")
    with pytest.raises(ConfigurationError, match=r"k \(has no contexts\)"):
        find_access(environ={"KUBECONFIG": str(path), "HOME": str(tmp_path)})


def test_a_file_named_by_flag_must_exist(tmp_path: Path) -> None:
    """A typing mistake must not lead to another cluster."""
    with pytest.raises(ConfigurationError, match="does not exist"):
        find_access(kubeconfig=tmp_path / "typo", environ={"KUBECONFIG": str(_both(tmp_path)[0])})


@pytest.mark.parametrize(
    ("text", "context", "message"),
    [
        (_FIRST, "three", "has no context 'three'"),
        (_FIRST.replace("current-context: one", ""), None, "has no current-context"),
        (_FIRST.replace("{name: c,", "{name: x,"), None, "has no cluster"),
        (_FIRST.replace("{name: u,", "{name: x,"), None, "names a user 'u' that is not there"),
        ("a: [", None, r":\d+: "),
        ("a: \x00", None, "is not YAML"),
        ("- a", None, r"Expected `object`, got `array`"),
        ("clusters: 5", None, r"\$\.clusters"),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path: Path, text: str, context: str | None, message: str) -> None:
    """The message names the file, and the entry or line where it can."""
    path = _write(tmp_path, "k", text)
    with pytest.raises(ConfigurationError, match=message) as refused:
        find_access(kubeconfig=path, context=context, environ={})
    assert str(path) in refused.value.message


def test_an_unknown_context_comes_with_those_that_are_there(tmp_path: Path) -> None:
    """The hint lists the names to choose from."""
    with pytest.raises(ConfigurationError) as refused:
        Kubeconfig.read(_both(tmp_path)).access("three")
    assert refused.value.hint == "there are: one, two"


def test_nothing_secret_is_printed(tmp_path: Path) -> None:
    """What is read may end up in a log by its repr; the token must not."""
    merged = Kubeconfig.read(_both(tmp_path))
    assert "123e4" not in repr(merged.access("two"))
    assert "123e4" not in repr(merged.access("two").user)
