"""Amazon's API as the AWS driver uses it: boto3, which blocks, in a few threads.

boto3 looks for credentials as every tool of Amazon does (environment, profiles, roles, the metadata service) and renews
those that can be renewed; what it can't renew is read anew once, since another program may have written a new token.
Throttled requests are repeated with growing, random pauses by its standard retry mode:
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from seatrial.machines.aws_errors import AwsError, one_line, refusal

T = TypeVar("T")

_THREADS = 16
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 8},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=_THREADS,
    user_agent_extra="seatrial",
)


class AwsApi:
    """The API of all regions; `new_session` makes what knows the credentials."""

    def __init__(self, new_session: Callable[[], Any] = boto3.Session) -> None:
        self._new_session = new_session
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._turn = asyncio.Lock()
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="aws")

    async def default_region(self) -> str:
        """The region of the profile in use, empty where it names none.

        Raises:
            AwsError: there is no such profile.
        """
        return await self._blocking(lambda: self._new_session().region_name or "", permission="", region="")

    async def call(self, operation: str, *, region: str, service: str = "ec2", **arguments: Any) -> Mapping[str, Any]:
        """Carry out one operation, named as boto3 does (`stop_instances`).

        Raises:
            AwsError: Amazon refused, or did not answer.
        """

        def run(client: Any) -> Mapping[str, Any]:
            return getattr(client, operation)(**arguments)  # type: ignore[no-any-return]

        return await self._on_client(run, operation, region=region, service=service)

    async def pages(
        self, operation: str, key: str, *, region: str, service: str = "ec2", page_size: int, **arguments: Any
    ) -> list[Any]:
        """What all pages of a listing have under `key`, one after another.

        Raises:
            AwsError: Amazon refused, or did not answer.
        """

        def run(client: Any) -> list[Any]:
            pages = client.get_paginator(operation).paginate(PaginationConfig={"PageSize": page_size}, **arguments)
            return [each for page in pages for each in page[key]]

        return await self._on_client(run, operation, region=region, service=service)

    def close(self) -> None:
        """Let go of connections and threads."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _on_client(self, run: Callable[[Any], T], operation: str, *, region: str, service: str) -> T:
        permission = f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"
        client = await self._client(service, region)
        try:
            return await self._blocking(lambda: run(client), permission=permission, region=region)
        except AwsError as error:
            if not error.expired:
                raise
            await self._forget(client)
        renewed = await self._client(service, region)
        return await self._blocking(lambda: run(renewed), permission=permission, region=region)

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

    async def _blocking(self, run: Callable[[], T], *, permission: str, region: str) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except ClientError as error:
            told = error.response.get("Error", {})
            code, message = str(told.get("Code", "")), str(told.get("Message", ""))
            raise refusal(code, message, permission=permission, region=region) from error
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
            raise AwsError(
                f"there are no AWS credentials: {one_line(error)}",
                hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role",
            ) from error
        except EndpointConnectionError as error:
            raise AwsError(
                f"can't reach AWS in region {region}", hint="look at the region's name, the network and proxies"
            ) from error
        except BotoCoreError as error:
            raise AwsError(
                f"AWS could not be asked in region {region}: {one_line(error)}",
                hint="look at the region's name, the credentials (`aws sts get-caller-identity`) and the network",
            ) from error
