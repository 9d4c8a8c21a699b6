"""The official Python client, asynchronous."""

import asyncio

from kubernetes import aio
from kubernetes.aio import client, config, stream, watch  # noqa: F401 -- loaded for `aio` to have them

from tests.conformance.clients.asyncio_client import main

if __name__ == "__main__":
    asyncio.run(main(aio))
