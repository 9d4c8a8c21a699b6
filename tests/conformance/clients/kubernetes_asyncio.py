"""kubernetes_asyncio, the asynchronous client of long standing."""

import asyncio

import kubernetes_asyncio
from kubernetes_asyncio import client, config, stream, watch  # noqa: F401 -- loaded for the package to have them

from tests.conformance.clients.asyncio_client import main

if __name__ == "__main__":
    asyncio.run(main(kubernetes_asyncio))
