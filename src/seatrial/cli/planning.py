"""What a run would do, worked out with everything that the run itself would have but a place to write to."""

from seatrial.actions.node_shell_pods import keep_books
from seatrial.cli.session import SessionOptions, context_of
from seatrial.engine.plan import make_plan
from seatrial.kube.client import connect
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import EventStream
from seatrial.runtime.journal import Journal
from seatrial.runtime.plan import Plan
from seatrial.runtime.randomness import new_seed
from seatrial.runtime.run_journal import RunJournal


async def plan_of(options: SessionOptions) -> Plan:
    """The plan of the first round.

    Raises:
        ClusterError: the API server refused or did not answer.
        UsageError: something that the run needs isn't there.
    """
    async with await connect(kubeconfig=options.kubeconfig, context=options.kube_context) as cluster:
        journal = Journal.in_memory()
        seed = options.seed if options.seed is not None else options.policy.config.seed
        context = context_of(
            options,
            run_id="plan",
            seed=str(new_seed() if seed is None else seed),
            cluster=cluster,
            events=EventStream(SystemClock()),
            journal=RunJournal(journal, "plan"),
        )
        keep_books(context)
        try:
            return await make_plan(options.policy, context, name=options.policy_name)
        finally:
            await context.machines.close()
            await context.executor.close()
            await journal.close()
