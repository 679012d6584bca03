"""docs/your-own-network.md, run as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-own-network.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder in which the page's commands were run, and what each printed."""
    folder = tmp_path_factory.mktemp("page")
    files = dict(zip(("network.py", "train.py", "squares.yaml"), (*blocks("python"), *blocks("yaml")), strict=True))
    for name, text in files.items():
        assert f"`{name}`" in PAGE
        (folder / name).write_text(text)
    (commands,) = blocks("bash")
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    environment = {**os.environ, "PATH": os.pathsep.join(places), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    found = {}
    for command in commands.splitlines():
        done = subprocess.run(
            command.split(), cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stderr
        assert not re.search(r"warn|Traceback|def forward", done.stderr, re.IGNORECASE), done.stderr
        found[command] = done.stdout
    return folder, found


@pytest.mark.slow
def test_the_components_are_those_of_the_page(printed: tuple[Path, dict[str, str]]) -> None:
    (listed,) = blocks("text")
    shown = printed[1]["causalvae components squares.yaml --allow-code"]
    for line in listed.splitlines():
        address = line.split()[0]
        row = next(row for row in shown.splitlines() if row.split()[:1] == [address])
        assert row.split()[: len(line.split())] == line.split()
    assert f"{len(listed.splitlines())} components" in shown


@pytest.mark.slow
def test_the_report_says_what_the_page_says(printed: tuple[Path, dict[str, str]]) -> None:
    folder, _ = printed
    (file,) = (folder / "runs" / "squares").rglob("results.json")
    content = json.loads(file.read_text())
    results = content.get("results", content)
    effects = {
        entry["estimand"]: entry
        for entry in reversed(results["estimates"])
        if (entry["owner"]["name"], entry["outcome"]) == ("through", "area")
    }
    assert effects["total_effect"]["lower"] > 5
    assert effects["natural_direct_effect"]["value"] == pytest.approx(0, abs=1e-4)
    assert results["model"]["captured by"] == "torch.export"
    assert file.with_name("report.html").is_file()
