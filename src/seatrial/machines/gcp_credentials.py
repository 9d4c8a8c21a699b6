"""Who we are to Google Cloud: google-auth's credentials, whose tokens are fetched in a thread and renewed in time."""

import asyncio
import logging
import warnings
from collections.abc import Mapping
from typing import Any

from seatrial.errors import MachineError, UsageError
from seatrial.machines.gcp_settings import GcpSettings
from seatrial.machines.threads import Threads

_SCOPES = ("https://www.googleapis.com/auth/compute",)
_THREADS = 4
_HINT = "log in with gcloud auth application-default login, or point GOOGLE_APPLICATION_CREDENTIALS to a key file"


class GcpCredentials:
    """Credentials of google-auth; `project` is the one that they name, if any."""

    def __init__(self, credentials: Any, *, project: str, threads: Threads) -> None:
        self.project = project
        self._credentials = credentials
        self._threads = threads
        self._turn = asyncio.Lock()

    @classmethod
    async def find(cls, settings: GcpSettings) -> "GcpCredentials":
        """Those of the key file that was given, else application default credentials.

        Raises:
            UsageError: google-auth is not installed.
            MachineError: there are no credentials, or they can't be read.
        """
        threads = Threads(_THREADS, name="gcp")
        credentials, project = await threads.run(lambda: _find(settings))
        return cls(credentials, project=project, threads=threads)

    async def headers(self, *, refused: str = "") -> Mapping[str, str]:
        """The headers of a request, with a token that is valid for a while.

        Args:
            refused: the Authorization header that the server didn't accept: another one is fetched.

        Raises:
            MachineError: no token is to be had.
        """
        async with self._turn:
            headers = self._headers() if self._credentials.valid else {}
            if not headers or headers.get("authorization") == refused:
                await self._threads.run(self._refresh)
                headers = self._headers()
        return headers

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._credentials.apply(headers)
        return headers

    def _refresh(self) -> None:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 -- an extra
        from google.auth.transport.requests import Request  # noqa: PLC0415 -- likewise

        try:
            self._credentials.refresh(Request())
        except (GoogleAuthError, OSError) as error:  # the latter: certificates that aren't there
            raise MachineError(f"Google Cloud gives no token: {_first_line(error)}", hint=_HINT) from error


def _find(settings: GcpSettings) -> tuple[Any, str]:
    try:
        import google.auth  # noqa: PLC0415 -- an extra
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 -- likewise
        from google.auth.transport.requests import Request  # noqa: F401, PLC0415 -- likewise, and has one of its own
        from google.oauth2.service_account import Credentials  # noqa: PLC0415 -- likewise
    except ImportError as error:
        raise UsageError(
            "machines on Google Cloud need the extra 'gcp'", hint='install it: pip install "seatrial[gcp]"'
        ) from error
    # What it warns of is raised as well, and said in fewer words; people's own credentials are as good as any here.
    logging.getLogger("google").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"google\.auth")
    try:
        if settings.key is not None:
            made = Credentials.from_service_account_info(dict(settings.key), scopes=_SCOPES)  # type: ignore[no-untyped-call]
            return made, settings.project
        credentials, project = google.auth.default(scopes=_SCOPES)
    except (GoogleAuthError, ValueError) as error:
        raise MachineError(f"no credentials for Google Cloud: {_first_line(error)}", hint=_HINT) from error
    return credentials, project or ""


def _first_line(error: Exception) -> str:
    """What google-auth says, without the body of the answer that it may carry as further arguments."""
    text = str(error.args[0]) if error.args else ""
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
