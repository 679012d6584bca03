"""The example notebook runs from top to bottom, and shows what it says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "examples" / "notebook"


@pytest.mark.slow  # A kernel of its own imports every library.
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = (str(FOLDER.parents[1]), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    notebook: Any = nbformat.read(FOLDER / "first_look.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "it is committed without outputs"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()
    shown = ["".join(map(str, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]
    assert "<caption>Session of" in shown[0] and "<caption>Plan of" in shown[1]
    assert "estimate effects: " in shown[2], "a line for each stage that ended"
    assert "supported" in shown[2] and "supported" in shown[3]
    assert not any("Traceback" in each or "stderr" in each for each in shown), "nothing but results is shown"
