"""One question to the DNS, asked by dnspython: the system's own resolver tells neither which answers came nor why none.

dnspython is imported when the first question is asked, and in a thread: it takes longer to load than most policies take
to be read, and other probes are timed meanwhile.
"""

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

RecordType = Literal["A", "AAAA", "CNAME", "SRV", "TXT"]


class NoRecords(Exception):  # noqa: N818 -- it says what happened
    """No answer with records came, and why in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked; without `server` those of `/etc/resolv.conf` are asked, with its search list."""

    name: str
    record_type: RecordType
    server: str = ""
    port: int = 53


async def look_up(question: Question, *, timeout_seconds: float) -> tuple[tuple[str, ...], float]:
    """The records of an answer, sorted and as they are written in zone files, and the milliseconds it took.

    Raises:
        NoRecords: there is no such name, it has no such records, or no server answered in time.
    """
    await asyncio.to_thread(import_module, "dns.asyncresolver")
    import dns.asyncresolver  # noqa: PLC0415 -- see above
    import dns.exception  # noqa: PLC0415 -- likewise
    import dns.nameserver  # noqa: PLC0415 -- likewise
    import dns.resolver  # noqa: PLC0415 -- likewise

    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        resolver = dns.asyncresolver.Resolver(configure=not question.server)
        if question.server:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(question.server, question.port)]
        # A time limit of our own: the resolver's is checked between its tries only.
        async with asyncio.timeout(timeout_seconds):
            answer = await resolver.resolve(
                question.name, question.record_type, lifetime=timeout_seconds, search=not question.server
            )
    except (TimeoutError, dns.resolver.LifetimeTimeout):
        raise NoRecords(f"no answer within {timeout_seconds * 1000:g} ms") from None
    except dns.resolver.NXDOMAIN:
        raise NoRecords("there is no such name") from None
    except dns.resolver.NoAnswer:
        raise NoRecords(f"the name has no {question.record_type} records") from None
    except (dns.exception.DNSException, OSError, UnicodeError) as error:
        raise NoRecords(str(error) or type(error).__name__) from error
    elapsed_ms = (loop.time() - begun) * 1000
    return tuple(sorted(record.to_text() for record in answer)), elapsed_ms
