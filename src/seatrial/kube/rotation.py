"""Credentials whose files somebody replaces while they are in use, as for a process that lives for weeks.

Certificates end within months or hours, and something puts others in their place: kubelets and mounted Secrets swap
files, `kubeadm certs renew` and clouds' commands write the kubeconfig anew. What stands there is read again when the
files are others, and taken as a whole or not at all: half of a pair, or of a file that is being written, is waited out
with what is in hand. Never does that lead elsewhere: the context stays the one of the beginning, whatever is current by
now, and one that has another server is left alone.
"""

import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from seatrial.errors import SeatrialError
from seatrial.kube.access import find_access
from seatrial.kube.auth import ClusterCredentials, credentials_for
from seatrial.kube.errors import CredentialsError
from seatrial.kube.kubeconfig import Access, kubeconfig_files

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LOOKS = 1.0

_Version = tuple[int, int, int, int] | None


class FollowedCredentials:
    """The credentials of a context, kept up with its files; see `transport.Credentials`.

    Args:
        access: the context as it is.
        find: finds the same context anew.
        files: the kubeconfig files that it stands in.
        monotonic: a clock.
    """

    def __init__(
        self,
        access: Access,
        *,
        find: Callable[[], Access],
        files: Sequence[Path],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._find = find
        self._files = tuple(files)
        self._monotonic = monotonic
        self._credentials = credentials_for(access)
        self._versions = self._versions_of(access)
        self._looked = monotonic()
        self._problem = ""

    async def headers(self) -> Sequence[tuple[str, str]]:
        """See `transport.Credentials`."""
        self._follow()
        return await self._credentials.headers()

    async def tls(self) -> ssl.SSLContext | None:
        """See `transport.Credentials`."""
        self._follow()
        return await self._credentials.tls()

    def renew(self) -> bool:
        """See `transport.Credentials`; who is refused looks at the files at once."""
        return self._follow(at_once=True) or self._credentials.renew()

    def _follow(self, *, at_once: bool = False) -> bool:
        """Take over what the files say, if they are others than before; whether that gave other credentials."""
        if not at_once and self._monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return False
        self._looked = self._monotonic()
        versions = self._versions_of(self._access)
        if versions == self._versions:
            return False
        try:
            access, credentials = self._found()
        except SeatrialError as error:
            self._stay(error.message)
            return False
        # What was read is at least as new as these versions: what has changed since is found with the next look. Where
        # other files are named now, that look finds so, and reads once more.
        self._access, self._credentials, self._versions = access, credentials, versions
        self._problem = ""
        return True

    def _found(self) -> tuple[Access, ClusterCredentials]:
        access = self._find()
        if access.cluster.server != self._access.cluster.server:
            raise CredentialsError(f"context {access.context_name!r} leads to {access.cluster.server} now")
        # A login program need not run anew because a certificate beside it is another one.
        is_same_user = access.user == self._access.user
        credentials = credentials_for(access, login=self._credentials.login if is_same_user else None)
        credentials.prepare()
        return access, credentials

    def _stay(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("what is said of the cluster's credentials can't be used: %s; going on as before", problem)
        self._problem = problem

    def _versions_of(self, access: Access) -> tuple[_Version, ...]:
        named = (access.cluster.certificate_authority, access.user.client_certificate, access.user.client_key)
        return tuple(_version(path) for path in (*self._files, *(Path(name) for name in named if name)))


def followed_credentials(
    access: Access, *, kubeconfig: Path | str | None, environ: Mapping[str, str]
) -> FollowedCredentials:
    """The credentials of a context that was found there, kept up with its files.

    Raises:
        ConfigurationError: the user's entry asks for something that can't be done.
    """
    files, _ = kubeconfig_files(kubeconfig, environ)
    find = partial(find_access, kubeconfig=kubeconfig, context=access.context_name, environ=environ)
    return FollowedCredentials(access, find=find, files=files)


def _version(path: Path) -> _Version:
    """What differs once a file is another one; a link's is that of what it leads to."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
