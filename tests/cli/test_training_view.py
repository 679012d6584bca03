"""The progress of training in a terminal of 80 columns."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

import causalvae
from causalvae.cli.progress import TrainingView, fold_items, name_terms
from causalvae.models.card import Carries


@dataclass(frozen=True)
class Step:
    step: int
    steps: int
    rate: float
    terms: dict[str, float]


@dataclass(frozen=True)
class Outcome:
    reconstruction: float
    kl: tuple[float, ...]
    carries: tuple[Carries, ...]
    seconds: float
    weights: Path


TERMS = {
    "reconstruction": 105.5152,
    "kl": 8.1762,
    "mutual_information": 4.25,
    "total_correlation": -4.3273,
    "discriminator": 0.6931,
    "loss": 104.5464,
}


def test_every_term_is_shown_and_no_line_is_too_long() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with TrainingView(console=console) as view:
        for step in (13_001, 13_002):
            view.tell(Step(step, 26_000, 8.25, TERMS))
    written = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())  # type: ignore[attr-defined]
    lines = re.split(r"[\r\n]+", written)
    assert max(map(cell_len, lines)) <= 80
    bar = next(line for line in lines if "13,002/26,000" in line)
    assert "8.2 steps/s" in bar
    assert "26 min 16 s left" in bar
    assert "…" not in written
    for name in TERMS:
        assert f"{name} " in written
    assert "loss 104.5  reconstruction 105.5" in written


def test_items_fill_lines_and_are_never_broken() -> None:
    assert fold_items(["ab", "cd", "efg"], 6) == ["ab  cd", "efg"]
    assert fold_items(["longer than that", "b"], 6) == ["longer than that", "b"]
    assert fold_items([], 6) == []
    assert name_terms({"kl": 1.0, "loss": 3.25}) == ["loss 3.25", "kl 1"]


def test_a_network_without_a_variance_has_no_kl(invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome(30.0, (), (), 3.0, tmp_path / "w.safetensors")
    monkeypatch.setattr(causalvae, "train", lambda spec, out, tell: outcome, raising=False)
    done = invoke("train", "spec.yaml", "--quiet")
    assert "30.00 nats" in done.stdout
    assert "KL" not in done.stdout
    assert "carry" not in done.stdout
    assert str(tmp_path / "log.csv") in done.stdout
