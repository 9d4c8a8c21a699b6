"""aiohttp, imported without reading the system's certificate authorities: that takes as long as the rest of it.

aiohttp makes two TLS contexts while it is imported, and reads some 150 certificates for each of them: a fifth of the
processor time of a small experiment, whose connections trust the authority of a kubeconfig alone. Imported from here,
its contexts read the same authorities when they are first used. Where it has been imported already, nothing changes.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_METHODS = ("load_default_certs", "set_default_verify_paths")


class LateContext(ssl.SSLContext):
    """A TLS context that trusts the system's authorities, and reads them before its first connection."""

    _is_read = False

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Read them, and begin a connection as asyncio makes it."""
        self._read()
        return super().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Read them, and begin a connection over a socket."""
        self._read()
        return super().wrap_socket(*args, **kwargs)

    def cert_store_stats(self) -> dict[str, int]:
        """Read them, and count them."""
        self._read()
        return super().cert_store_stats()

    def _read(self) -> None:
        if not self._is_read:
            self.load_default_certs()
            self._is_read = True


@contextmanager
def _reading_late() -> Iterator[None]:
    """What asks for the system's authorities meanwhile gets them late."""

    def later(context: ssl.SSLContext, *_purpose: ssl.Purpose) -> None:
        context.__class__ = LateContext

    own = {name: vars(ssl.SSLContext)[name] for name in _METHODS if name in vars(ssl.SSLContext)}
    for name in _METHODS:
        setattr(ssl.SSLContext, name, later)
    try:
        yield
    finally:
        for name in _METHODS:
            if name in own:
                setattr(ssl.SSLContext, name, own[name])
            else:
                delattr(ssl.SSLContext, name)


with _reading_late():
    import aiohttp

__all__ = ["LateContext", "aiohttp"]
