"""Amazon's API as the AWS driver uses it: boto3, which blocks, in a few threads.

boto3 looks for credentials as every tool of Amazon does (environment, profiles, roles, the metadata service) and renews
those that can be renewed; what it can't renew is read anew once, since another program may have written a new token.
It sends each request once: what is worth repeating is repeated here, where it can be interrupted, and never a request
that must not be made twice. Which failures pass: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSOError,
    SSOTokenLoadError,
    TokenRetrievalError,
)

from seatrial.machines.aws_errors import AwsError, may_pass, one_line, refusal
from seatrial.machines.pace import Pace, Passing
from seatrial.machines.threads import Threads

T = TypeVar("T")

# What it warns of is raised as well, and said in fewer words.
logging.getLogger("botocore").setLevel(logging.ERROR)
_THREADS = 16
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=30,
    max_pool_connections=_THREADS,
    user_agent_extra="seatrial",
)
_NO_LOGIN = (CredentialRetrievalError, SSOError, SSOTokenLoadError, TokenRetrievalError)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound)
_NOT_SENT = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)
_NOT_ANSWERED = (ConnectionClosedError, ReadTimeoutError)


class AwsApi:
    """The API of all regions; `new_session` makes what knows the credentials."""

    def __init__(self, new_session: Callable[[], Any] = boto3.Session, *, pace: Pace | None = None) -> None:
        self._new_session = new_session
        self._pace = pace or Pace()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._turn = asyncio.Lock()
        self._threads = Threads(_THREADS, name="aws")
        self._answered: set[str] = set()

    async def default_region(self) -> str:
        """The region of the profile in use, empty where it names none.

        Raises:
            AwsError: there is no such profile.
        """

        def look() -> str:
            return self._new_session().region_name or ""

        return await self._pace.ask(lambda: self._blocking(look, permission="", region=""), whom="AWS")

    async def call(
        self, operation: str, *, region: str, service: str = "ec2", repeatable: bool = True, **arguments: Any
    ) -> Mapping[str, Any]:
        """Carry out one operation, named as boto3 does (`stop_instances`).

        Args:
            operation: its name.
            region: where.
            service: whose it is.
            repeatable: doing it twice is the same as once.
            arguments: its own.

        Raises:
            AwsError: Amazon refused.
            MachineError: Amazon did not answer.
        """
        permission = f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"
        renewed = False

        async def once() -> Mapping[str, Any]:
            nonlocal renewed
            client = await self._client(service, region)

            def run() -> Mapping[str, Any]:
                return getattr(client, operation)(**arguments)  # type: ignore[no-any-return]

            try:
                answer = await self._blocking(run, permission=permission, region=region, repeatable=repeatable)
            except AwsError as error:
                if renewed or not error.expired:
                    raise
                renewed = True
                await self._forget(client)
                return await once()
            self._answered.add(region)
            return answer

        return await self._pace.ask(once, whom=f"AWS in region {region}")

    async def pages(
        self, operation: str, key: str, *, region: str, service: str = "ec2", **arguments: Any
    ) -> list[Any]:
        """What all pages of a listing have under `key`, one after another.

        Raises:
            AwsError: Amazon refused.
            MachineError: Amazon did not answer.
        """
        found: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            page = await self.call(operation, region=region, service=service, **arguments, **more)
            found += page[key]
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}

    def close(self) -> None:
        """Let go of connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    async def _client(self, service: str, region: str) -> Any:
        """A client, made once: making them is slow, and a session makes one at a time only."""

        def make() -> Any:
            self._session = self._session or self._new_session()
            return self._session.client(service, region_name=region, config=_CONFIG)

        async with self._turn:
            if (service, region) not in self._clients:
                made = await self._blocking(make, permission="", region=region)
                self._clients[service, region] = made
            return self._clients[service, region]

    async def _forget(self, client: Any) -> None:
        """Drop the session whose token has expired, unless that was done meanwhile."""
        async with self._turn:
            if client in self._clients.values():
                self._clients.clear()
                self._session = None

    async def _blocking(self, run: Callable[[], T], *, permission: str, region: str, repeatable: bool = True) -> T:
        where = f" in region {region}" if region else ""
        try:
            return await self._threads.run(run)
        except ClientError as error:
            self._answered.add(region)
            told = error.response.get("Error", {})
            code, message = str(told.get("Code", "")), str(told.get("Message", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            refused = refusal(code, message, permission=permission, region=region)
            if may_pass(code, status=status, repeatable=repeatable):
                raise Passing(refused) from error
            raise refused from error
        except _NO_CREDENTIALS as error:
            raise AwsError(
                f"there are no AWS credentials: {one_line(error)}",
                hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role",
            ) from error
        except _NO_LOGIN as error:
            raise AwsError(
                f"there are no valid AWS credentials: {one_line(error)}", hint="log in again, as with `aws sso login`"
            ) from error
        except _NOT_SENT as error:
            unreachable = AwsError(f"can't reach AWS{where}", hint="look at the region's name, the network and proxies")
            raise Passing(unreachable, few_tries=region not in self._answered) from error
        except (BotoCoreError, ValueError, OSError) as error:  # the last two: settings that botocore doesn't check
            failed = AwsError(
                f"AWS could not be asked{where}: {one_line(error)}",
                hint="look at the region's name, the credentials (`aws sts get-caller-identity`) and the network",
            )
            if repeatable and isinstance(error, _NOT_ANSWERED):
                raise Passing(failed) from error
            raise failed from error
