"""Adding a sandbox's context to the user's own kubeconfig.

Everything else in the file stays as it is (comments excepted, as with `kubectl config`). The file is replaced as a
whole and guarded by the lock file that kubectl uses, so nobody ever sees half of it and no change of kubectl's is
lost.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from seatrial.errors import ConfigurationError, StateError

_SECTIONS: Final = {"clusters": "cluster", "contexts": "context", "users": "user"}


class _Loader(yaml.SafeLoader):
    """Leaves times as the text they are, so that they are written back unchanged."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def user_kubeconfig(environ: Mapping[str, str]) -> Path:
    """The file that kubectl would write to: the first that exists of KUBECONFIG's, its last, or ~/.kube/config."""
    listed = [Path(entry) for entry in environ.get("KUBECONFIG", "").split(os.pathsep) if entry]
    if not listed:
        return Path.home() / ".kube" / "config"
    return next((path for path in listed if path.exists()), listed[-1])


def merge_context(own: Path, into: Path, *, name: str) -> None:
    """Add or refresh the one context of the sandbox's kubeconfig `own`, as `name`, in the user's file `into`.

    Raises:
        ConfigurationError: the user's file isn't a kubeconfig.
        StateError: it can't be written, or somebody is writing it.
    """
    fresh = yaml.load(own.read_text(), _Loader)  # noqa: S506 -- a SafeLoader
    target = into.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(target):
            merged = _merged(_read(target), fresh, name)
            _replace(target, yaml.safe_dump(merged, sort_keys=False))
    except OSError as error:
        raise StateError(
            f"can't write {into}: {error.strerror}", hint="set KUBECONFIG to a file that you may write"
        ) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        document = yaml.load(file.read_text(), _Loader)  # noqa: S506 -- a SafeLoader
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file} isn't valid YAML: {' '.join(str(error).split())}") from error
    if document is None:
        return {}
    sections = [document.get(section) or [] for section in _SECTIONS] if isinstance(document, dict) else [None]
    if not all(isinstance(entries, list) for entries in sections):
        raise ConfigurationError(f"{file} isn't a kubeconfig", hint="set KUBECONFIG to another file")
    return dict(document)


def _merged(config: dict[str, Any], fresh: Mapping[str, Any], name: str) -> dict[str, Any]:
    merged = {"apiVersion": "v1", "kind": "Config", **config}
    for section, key in _SECTIONS.items():
        content = dict(fresh[section][0][key])
        if section == "contexts":
            content |= {"cluster": name, "user": name}
        others = [entry for entry in merged.get(section) or [] if entry.get("name") != name]
        merged[section] = [*others, {"name": name, key: content}]
    if not merged.get("current-context"):
        merged["current-context"] = name
    return merged


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    lock = file.with_name(file.name + ".lock")
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise StateError(
            f"somebody else is writing {file}: {lock} exists", hint="remove the lock file if nobody is"
        ) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _replace(file: Path, text: str) -> None:
    descriptor, fresh = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if file.exists():
            Path(fresh).chmod(file.stat().st_mode & 0o777)
        Path(fresh).replace(file)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
