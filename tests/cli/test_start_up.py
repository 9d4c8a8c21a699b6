"""What a command imports is what its user waits for."""

import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "asyncio", "cryptography", "jinja2", "msgspec", "PIL", "pydantic", "rich", "structlog", "yaml"}


def imported_by(*arguments):
    script = (
        "import sys; from seatrial.cli.main import run; code = run(sys.argv[1:]); "
        "print('\\n'.join({name.partition('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], []], ids=["version", "help", "nothing"])
def test_the_version_and_the_help_import_nothing_heavy(arguments):
    """`seatrial --version` is quick because it imports click and no more."""
    output, modules = imported_by(*arguments)
    assert output
    assert modules & HEAVY == set()


def test_a_policy_is_checked_without_a_cluster_client():
    """`seatrial schema` needs the models; it doesn't need the sandbox, certificates or pictures."""
    _, modules = imported_by("schema")
    assert modules & {"PIL", "cryptography", "jinja2", "jwt"} == set()
