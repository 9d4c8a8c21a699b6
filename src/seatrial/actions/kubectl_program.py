"""The program kubectl (or one that is called like it), as a policy may ask for it: it applies and deletes.

It is run from an argument list without a shell, with the kubeconfig and context of the run; the manifest comes by its
standard input. Where it is stopped or takes too long, it ends together with what it started.
"""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seatrial.actions.manifest_text import Manifest
from seatrial.environment import users_environment
from seatrial.errors import ClusterError, ConfigurationError
from seatrial.kube.client import Client
from seatrial.kube.errors import AlreadyExists, NotFound, Status
from seatrial.kube.resources import Resource

_LONGEST_SECONDS = 300.0
_MOST_SHOWN = 500
_APPLIES = "kubectl-client-side-apply"
_IS_THERE = "(AlreadyExists)"
_IS_NOT_THERE = "(NotFound)"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubectlProgram:
    """An `Applier` and `Deleter` that runs a program.

    `proxy` is the URL of an HTTP proxy for it, empty for none: what the environment says of proxies is not handed on.
    """

    binary: str
    cluster: Client
    proxy: str = ""

    async def apply(self, resource: Resource, body: Manifest, *, dry_run: bool = False) -> Manifest:  # noqa: ARG002 -- an `Applier` is told
        """Apply one object, or ask the server what would come of it.

        Raises:
            ClusterError: the program failed, or can't be run.
        """
        return await self._applied(["apply", *(["--dry-run=server"] if dry_run else [])], body)

    async def create(self, resource: Resource, body: Manifest) -> Manifest:  # noqa: ARG002 -- likewise
        """Create one object as `apply` does, so that it may be applied again.

        Raises:
            AlreadyExists: there is one of this name.
            ClusterError: the program failed, or can't be run.
        """
        try:
            return await self._applied(["create", "--save-config", f"--field-manager={_APPLIES}"], body)
        except ClusterError as error:
            if _IS_THERE not in error.message:
                raise
            raise AlreadyExists(Status(message=error.message, reason="AlreadyExists"), code=409) from error

    async def _applied(self, arguments: Sequence[str], body: Manifest) -> Manifest:
        output = await self._run([*arguments, "-o", "json", "-f", "-"], body)
        try:
            applied = json.loads(output)
        except ValueError:
            applied = None
        if not isinstance(applied, dict):
            raise ClusterError(
                f"{self.binary} {arguments[0]} answered what is no object", hint="is this program kubectl?"
            )
        return applied

    async def delete(self, resource: Resource, thing: Manifest) -> None:
        """Delete one object; the program waits until it is gone.

        Raises:
            NotFound: somebody else was quicker.
            ClusterError: the program failed, or can't be run.
        """
        meta = {key: value for key, value in thing["metadata"].items() if key in {"name", "namespace"}}
        named = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
        try:
            await self._run(["delete", "-f", "-"], named)
        except ClusterError as error:
            if _IS_NOT_THERE not in error.message:
                raise
            raise NotFound(Status(message=error.message, reason="NotFound"), code=404) from error

    async def _run(self, arguments: Sequence[str], manifest: Manifest) -> str:
        context = self.cluster.context_name
        # Inside of a cluster there is no kubeconfig: kubectl finds the pod's account by itself, as we did.
        where = ["--context", context] if context and self.cluster.kubeconfig else []
        try:
            process = await asyncio.create_subprocess_exec(
                self.binary, *where, *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=self._environment(users_environment()), start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigurationError(
                f"can't run '{self.binary}': {reason}", hint="without 'kubectlBinary' no program is needed"
            ) from error
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                output, errors = await process.communicate(json.dumps(manifest).encode())
        except TimeoutError:
            raise ClusterError(f"{self.binary} {arguments[0]} took more than {_LONGEST_SECONDS:g} s") from None
        finally:
            await _end(process)
        if process.returncode:
            said = " ".join((errors or output).decode(errors="replace").split())[:_MOST_SHOWN]
            raise ClusterError(f"{self.binary} {arguments[0]} ended with exit code {process.returncode}: {said}")
        return output.decode(errors="replace")

    def _environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
        kept = {key: value for key, value in environ.items() if key.lower() not in proxies}
        given = {"HTTPS_PROXY": self.proxy, "HTTP_PROXY": self.proxy} if self.proxy else {}
        return {**kept, **given, **({"KUBECONFIG": self.cluster.kubeconfig} if self.cluster.kubeconfig else {})}


async def _end(process: asyncio.subprocess.Process) -> None:
    """End what still runs, and all that it started."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        await process.wait()
