"""What somebody has to answer before something is broken: yes, or in production the context's name in full."""

from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import msgspec

_YES = frozenset({"y", "yes"})


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """A question about one thing to do; `name` has to be typed in full where it is not empty."""

    title: str
    name: str = ""

    @property
    def question(self) -> str:
        """The question, for where it is answered by typing."""
        if self.name:
            return f"{self.name} is production. Type its name in full to {self.title}: "
        return f"{self.title}? [y/N] "

    def is_given_by(self, answer: str) -> bool:
        """Whether an answer means that it is to be done."""
        return answer == self.name if self.name else answer.strip().lower() in _YES


def confirmation_of(
    title: str, *, context_name: str, production_pattern: str, cluster_name: str = "", server: str = ""
) -> Confirmation:
    """What is to be asked before `title` is done.

    `production_pattern` is a glob, which ignores case, of names of production clusters: the kubeconfig's context, its
    entry of the cluster, and the host of the API server, for a context may be called anything. The name to type is the
    context's where there is one.
    """
    host = urlsplit(server).hostname or ""
    pattern = production_pattern.lower()
    is_production = any(name and fnmatchcase(name.lower(), pattern) for name in (context_name, cluster_name, host))
    return Confirmation(title=title, name=(context_name or host) if is_production else "")
