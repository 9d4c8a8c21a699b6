"""What the sandbox means to answer differently: `golden/deliberate.json`, which the documentation is written from.

Two kinds of entries: fields that are left out of every comparison, and cases whose difference counts as none. `make
docs` writes the list into the page, by `python -m tests.conformance.deliberate`.
"""

import json
from fnmatch import fnmatchcase
from pathlib import Path

from tests.conformance.scores import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "sandbox-differences.md"
_BEGIN, _END = "<!-- list -->", "<!-- end of list -->"
_KNOWN = json.loads((Path(__file__).parent / "golden" / "deliberate.json").read_text(encoding="utf-8"))
FIELDS = frozenset(name for entry in _KNOWN["fields"] for name in entry["names"])
OWNED = frozenset(f"f:{name}" for name in FIELDS)


def listed() -> str:
    """The list as the documentation has it: each reason once, and what it is about."""
    about: dict[str, list[str]] = {}
    for entry in _KNOWN["fields"]:
        about.setdefault(entry["reason"], []).append(f"{entry['kind']}: " + ", ".join(f"`{n}`" for n in entry["names"]))
    for entry in _KNOWN["cases"]:
        about.setdefault(entry["reason"], []).append(f"`{entry['topic']}`: {entry['case']}")
    return "\n".join(f"- {reason}\n" + "\n".join(f"  - {case}" for case in cases) for reason, cases in about.items())


def excuse(topic: str, outcome: Outcome) -> None:
    """Note the reason with an outcome whose differences are meant."""
    found = "\n".join(outcome.problems)
    for entry in _KNOWN["cases"]:
        is_it = entry["topic"] == topic and fnmatchcase(outcome.case, entry["case"])
        if is_it and found and entry.get("when", "") in found:
            outcome.excuse = entry["reason"]


def page_with_list(page: str) -> str:
    """The documentation's page with the list between its marks."""
    head, _, rest = page.partition(_BEGIN)
    return f"{head}{_BEGIN}\n{listed()}\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with_list(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
