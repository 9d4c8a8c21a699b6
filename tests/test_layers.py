import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_module_imports_upwards():
    """The layers of pyproject.toml hold: what is below never imports what is above, and the sandbox stands apart."""
    # In a process of its own: it silences all loggers that there are.
    script = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_package_is_in_a_layer():
    """A new package has to find its place in the contract, or it would be free to import anything."""
    listed = (ROOT / "pyproject.toml").read_text().partition("[tool.importlinter]")[2]
    packages = {path.parent.name for path in (ROOT / "src" / "seatrial").glob("*/__init__.py")}
    assert {
        name for name in packages if f'"seatrial.{name}' not in listed and f" seatrial.{name}" not in listed
    } == set()


def test_the_version_has_one_place():
    """The installed package's version is the one in the source."""
    script = (
        "import importlib.metadata, seatrial; print(importlib.metadata.version('seatrial') == seatrial.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
