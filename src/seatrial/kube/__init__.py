"""A thin asynchronous client of the Kubernetes API, over aiohttp and msgspec.

Why our own: architecture and benchmarks say. `client` is where to begin; `selectors`, `quantity`, `objects` and
`pod_status` are value types that the sandbox shares.
"""
