"""A run that sends commands through pods, and what its books say."""

from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.remote.books import Books
from seatrial.remote.node_shell import NodeShell
from seatrial.remote.node_shell_pod import ShellSettings

SHELL_PODS = "app.kubernetes.io/component=node-shell"


class Run:
    """A run's executor and what its books say."""

    def __init__(self, cluster, run_id="run-1", *, protected=(), **settings):
        self.settings = ShellSettings(**settings)
        self.cluster = cluster
        self.written: list[str] = []
        self.struck_out: list[str] = []
        self.executor = NodeShell(cluster, self.settings)
        self.executor.keep_books(Books(run_id, {"seatrial.io/run": run_id}, self._write_down, frozenset(protected)))

    async def _write_down(self, body):
        name = body["metadata"]["name"]
        assert name not in await self.pods()
        self.written.append(name)

        async def strike_out():
            self.struck_out.append(name)

        return strike_out

    async def pods(self):
        namespace = self.settings.namespace
        listed = await self.cluster.list(PODS, namespace=namespace, label_selector=SHELL_PODS, type=Pod)
        return {each.metadata.name: each for each in listed.items}

    async def close(self):
        for each in await self.pods():
            await self.cluster.delete(PODS, each, namespace=self.settings.namespace, grace_period_seconds=0)
