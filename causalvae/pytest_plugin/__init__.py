"""A plugin for pytest: each hypothesis of a ``*.causal.yaml`` file is a test.

pytest imports this module in every session of an environment where causalvae is installed, so it imports nothing large
until it meets such a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from causalvae.pytest_plugin.names import ALLOW_CODE, RUNS, STRICT, SUFFIX

if TYPE_CHECKING:
    import pytest

    from causalvae.pytest_plugin.items import SpecFile


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of ``pytest.ini`` and the like."""
    parser.addini(STRICT, f"*{SUFFIX}: an inconclusive verdict fails", type="bool", default=False)
    parser.addini(RUNS, f"*{SUFFIX}: where runs are kept; by default in pytest's cache", default="")
    parser.addini(ALLOW_CODE, f"*{SUFFIX}: let specs import and call code that they name", type="bool", default=False)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | None:
    """Collect the hypotheses of a spec."""
    if not file_path.name.endswith(SUFFIX):
        return None
    from causalvae.pytest_plugin.items import SpecFile

    return SpecFile.from_parent(parent, path=file_path)
