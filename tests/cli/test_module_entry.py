"""``python -m causalvae`` is the command line."""

import subprocess
import sys
from importlib.metadata import version


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "causalvae", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"causalvae {version('causalvae')}"
