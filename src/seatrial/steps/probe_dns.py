"""The step `probeDNS`: look a name up and fail unless the answer is the expected one."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from seatrial.policy.base import Complaint, Model, complain
from seatrial.policy.scalars import Integer, Items, Number, Port
from seatrial.probes.dns_lookup import NoRecords, Question, RecordType, look_up
from seatrial.probes.sampling import Look, sample
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import Outcome
from seatrial.steps.step_type import StepType


def _as_address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise complain(f"is '{value}', which is no IP address") from None
    return value


class ProbeDNS(Model):
    """Look a name up in the DNS and fail unless it has records, or those that are expected."""

    name: Annotated[str, Field(min_length=1, pattern=r"^\S+$")]
    """The name, such as `web.shop.svc.cluster.local`."""

    record_type: RecordType = Field(default="A", alias="type")
    """The type of the records."""

    server: Annotated[str, AfterValidator(_as_address)] | None = None
    """The IP address of the server to ask, such as the cluster's DNS service.
    Without it, the servers of this machine are asked, with its search list."""

    port: Port = 53
    """The server's port."""

    expected: Items[str] = ()
    """Records that must be in the answer, written as in a zone file (`10.1.2.3`, `web.example.com.`).
    Others may be there too. Without it, any record will do."""

    retries: Annotated[Integer, Field(ge=1)] = 3
    """How often to try before the probe fails."""

    delay_ms: Annotated[Number, Field(ge=0)] = Field(default=100.0, alias="delay")
    """The pause between two tries, in milliseconds."""

    timeout_ms: Annotated[Number, Field(ge=1)] = Field(default=1000.0, alias="timeout")
    """How long an answer may take, in milliseconds."""

    count: Annotated[Integer, Field(ge=1)] = 1
    """How many questions to ask; each has to succeed."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """A port is some server's."""
        if given.get("port") is not None and given.get("server") is None:
            yield Complaint("needs 'server' beside it", ("port",), at_key=True)


async def run(spec: ProbeDNS, context: Context) -> Outcome:
    """Ask as often as said, and fail unless each answer is the expected one."""
    question = Question(name=spec.name, record_type=spec.record_type, server=spec.server or "", port=spec.port)

    async def look() -> Look:
        try:
            records, elapsed_ms = await look_up(question, timeout_seconds=spec.timeout_ms / 1000)
        except NoRecords as error:
            return Look(problem=str(error))
        missing = [each for each in spec.expected if _normal(each) not in {_normal(record) for record in records}]
        found = ", ".join(records)
        problem = f"expected {', '.join(missing)}, got {found}" if missing else ""
        return Look(problem=problem, answer=found, latency_ms=elapsed_ms)

    return await sample(
        spec, context, what=f"DNS {spec.record_type} {spec.name}", target=spec.name, via="dns", look=look
    )


def _normal(record: str) -> str:
    """A record as it is compared: names ignore case and the last dot, IPv6 addresses have one form."""
    try:
        return str(ipaddress.ip_address(record))
    except ValueError:
        return record.lower().rstrip(".").strip('"')


async def plan(spec: ProbeDNS, context: Context) -> StepPlan:  # noqa: ARG001 -- every step gets it
    """Questions, which change nothing."""
    questions = f"{spec.count} DNS questions" if spec.count > 1 else "a DNS question"
    whom = f" to {spec.server}" if spec.server else ""
    expected = f", expecting {', '.join(spec.expected)}" if spec.expected else ""
    return StepPlan(summary=f"{questions} for {spec.record_type} {spec.name}{whom}{expected}")


STEP = StepType(key="probeDNS", model=ProbeDNS, run=run, plan=plan, changes_nothing=True)
