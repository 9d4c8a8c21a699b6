"""Kubeconfig files: found, read, merged, and one context chosen.

The order is kubectl's: the file given, else those that KUBECONFIG lists (merged: for each entry the first file that
has it wins), else `~/.kube/config`. Paths inside a file are relative to that file. Source: Kubernetes
documentation, "Organizing Cluster Access Using kubeconfig Files" and "kubeconfig (v1)".
"""

import base64
import binascii
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import field

from seatrial.errors import ConfigurationError


class _Entry(msgspec.Struct, rename="kebab"):
    """The base of what a kubeconfig holds; `file` is where it stands."""


class Cluster(_Entry):
    """How to reach a cluster."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: list[dict[str, Any]] | None = None


class ExecVariable(msgspec.Struct, frozen=True):
    """An environment variable for a login program."""

    name: str
    value: str = ""


class ExecConfig(msgspec.Struct, rename="camel"):
    """A login program (client-go credential plugin)."""

    command: str = ""
    api_version: str = ""
    args: list[str] | None = None
    env: list[ExecVariable] | None = None
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = "IfAvailable"

    @property
    def may_ask(self) -> bool:
        """Whether the program may ask questions: it wants to or doesn't mind, and there is a terminal."""
        return self.interactive_mode != "Never" and sys.stdin is not None and sys.stdin.isatty()


class AuthProvider(_Entry):
    """A built-in way to log in; `oidc` is the one that is left."""

    name: str = ""
    config: dict[str, str] | None = None


class User(_Entry):
    """Who to be."""

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = field(name="tokenFile", default="")
    username: str = ""
    password: str = ""
    exec: ExecConfig | None = None
    auth_provider: AuthProvider | None = None
    impersonate: str = field(name="as", default="")
    impersonate_uid: str = field(name="as-uid", default="")
    impersonate_groups: list[str] | None = field(name="as-groups", default=None)
    impersonate_extra: dict[str, list[str]] | None = field(name="as-user-extra", default=None)

    def __repr__(self) -> str:
        """Nothing: what is in here is secret."""
        return "User(...)"


class Context(_Entry):
    """A cluster, a user and a namespace, put together under a name."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _Named(msgspec.Struct):
    name: str = ""


class _NamedCluster(_Named):
    cluster: Cluster | None = None


class _NamedUser(_Named):
    user: User | None = None

    def __repr__(self) -> str:
        return "_NamedUser(...)"


class _NamedContext(_Named):
    context: Context | None = None


class _File(_Entry):
    current_context: str = ""
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None


class Access(msgspec.Struct, frozen=True):
    """A context, resolved: how to reach its cluster and who to be there. `user_file` holds the user's entry."""

    context_name: str
    namespace: str
    cluster: Cluster
    user: User
    cluster_name: str = ""
    user_name: str = ""
    user_file: Path | None = None

    def __repr__(self) -> str:
        return f"Access({self.context_name!r}, {self.cluster.server!r})"


class Kubeconfig:
    """Several files as one."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.current_context = ""
        self.clusters: dict[str, Cluster] = {}
        self.users: dict[str, User] = {}
        self.contexts: dict[str, Context] = {}
        self._user_files: dict[str, Path] = {}

    @classmethod
    def read(cls, files: Iterable[Path]) -> "Kubeconfig":
        """Read and merge files.

        Raises:
            ConfigurationError: a file can't be read; it names file and line.
        """
        merged = cls()
        for path in files:
            merged._add(path, _read(path))
        return merged

    def access(self, context: str | None = None) -> Access:
        """Resolve a context, the current one by default.

        Raises:
            ConfigurationError: there is no such context, or a part of it is missing.
        """
        where = ", ".join(str(path) for path in self.files)
        known = ", ".join(sorted(self.contexts)) or "none"
        name = context or self.current_context
        if not name:
            raise ConfigurationError(
                f"{where} has no current-context", hint=f"choose one with --context (there are: {known})"
            )
        found = self.contexts.get(name)
        if found is None:
            raise ConfigurationError(f"{where} has no context {name!r}", hint=f"there are: {known}")
        cluster = self.clusters.get(found.cluster)
        if cluster is None or not cluster.server:
            raise ConfigurationError(f"{where}: context {name!r} has no cluster with a server")
        user = self.users.get(found.user)
        if user is None and found.user:
            raise ConfigurationError(f"{where}: context {name!r} names a user {found.user!r} that is not there")
        return Access(
            context_name=name,
            namespace=found.namespace or "default",
            cluster=cluster,
            user=user or User(),
            cluster_name=found.cluster,
            user_name=found.user,
            user_file=self._user_files.get(found.user),
        )

    def _add(self, path: Path, content: _File) -> None:
        self.files.append(path)
        self.current_context = self.current_context or content.current_context
        for cluster in content.clusters or ():
            self.clusters.setdefault(cluster.name, _cluster_from(path.parent, cluster.cluster or Cluster()))
        for user in content.users or ():
            if user.name not in self.users:
                self.users[user.name] = _user_from(path.parent, user.user or User())
                self._user_files[user.name] = path
        for context in content.contexts or ():
            self.contexts.setdefault(context.name, context.context or Context())


def kubeconfig_files(explicit: Path | str | None, environ: Mapping[str, str]) -> tuple[list[Path], list[str]]:
    """The files to read, and what was looked at without success (for the message when there is none).

    Raises:
        ConfigurationError: a file that was named explicitly isn't there.
    """
    if explicit is not None:
        path = Path(explicit).expanduser()
        if not _is_there(path):
            raise ConfigurationError(f"kubeconfig {path} does not exist", hint="check --kubeconfig")
        return [path], []
    tried = ["--kubeconfig (not given)"]
    listed = [Path(name).expanduser() for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if listed:
        there = [path for path in listed if _is_there(path)]
        return there, [*tried, *(f"KUBECONFIG={path} (does not exist)" for path in listed if path not in there)]
    tried.append("KUBECONFIG (not set)")
    try:
        home = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    except RuntimeError:
        return [], [*tried, "~/.kube/config (this user has no home directory)"]
    return ([home], tried) if _is_there(home) else ([], [*tried, f"{home} (does not exist)"])


def decoded_data(text: str, *, name: str) -> bytes:
    """The content of a `...-data` entry.

    Raises:
        ConfigurationError: it isn't base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(f"{name} in the kubeconfig is not base64") from error


def _read(path: Path) -> _File:
    import yaml  # noqa: PLC0415 -- costs time that `--version` and in-cluster runs needn't pay

    try:
        content = yaml.load(path.read_bytes(), Loader=_loader())  # noqa: S506 -- restricts CSafeLoader
    except OSError as error:
        raise ConfigurationError(f"can't read kubeconfig {path}: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError(f"kubeconfig {path}{line}: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"kubeconfig {path} is not YAML") from error
    try:
        return msgspec.convert(_without_nulls(content) or {}, _File, strict=False)
    except msgspec.ValidationError as error:
        # The message names types and a path, never a value.
        raise ConfigurationError(f"kubeconfig {path}: {error}") from None


def _is_there(path: Path) -> bool:
    """Whether there is something to read; what we may not look at counts as there, and reading it says why not."""
    try:
        return path.is_file()
    except PermissionError:
        return True


def _loader() -> Any:
    """A YAML loader for which every scalar is text, except null: a token such as 123e4 must stay as it is."""
    import yaml  # noqa: PLC0415 -- see `_read`

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    nulls = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    return type("_TextLoader", (base,), {"yaml_implicit_resolvers": nulls})


def _without_nulls(value: Any) -> Any:
    """A key with null is a key that isn't there."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _cluster_from(folder: Path, cluster: Cluster) -> Cluster:
    return msgspec.structs.replace(cluster, certificate_authority=_absolute(folder, cluster.certificate_authority))


def _user_from(folder: Path, user: User) -> User:
    exec_ = user.exec
    if exec_ is not None and os.sep in exec_.command:
        # A bare name is looked up on PATH; a relative path is the file's.
        exec_ = msgspec.structs.replace(exec_, command=_absolute(folder, exec_.command))
    return msgspec.structs.replace(
        user,
        client_certificate=_absolute(folder, user.client_certificate),
        client_key=_absolute(folder, user.client_key),
        token_file=_absolute(folder, user.token_file),
        exec=exec_,
    )


def _absolute(folder: Path, path: str) -> str:
    return str(folder.absolute() / path) if path else ""
