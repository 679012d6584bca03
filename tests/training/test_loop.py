"""Training that is killed and resumed makes the weights of training that never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from causalvae.errors import CausalVAEError
from causalvae.spec.training import TrainSpec
from causalvae.training import batches, loop
from causalvae.training.log import read_log
from causalvae.training.loop import TrainProgress, TrainResult, train

STEPS = 9


def make_spec(**changes: Any) -> TrainSpec:
    return TrainSpec.model_validate(
        {
            "spec": "causalvae/train-v1",
            "name": "tiny",
            "model": {"latent_dim": 3},
            "objective": {"name": "annealed_tcvae", "anneal_steps": 6},
            "batch_size": 4,
            "steps": STEPS,
            "checkpoint_every": 3,
            "seed": 11,
            **changes,
        }
    )


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small evaluation, and blocks of images that a run of nine steps crosses."""
    monkeypatch.setattr(loop, "_NEW_SAMPLES", 32)
    monkeypatch.setattr(loop, "PAIRS", 2)
    monkeypatch.setattr(batches, "_MOST_BATCHES", 4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, Path]:
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_NEW_SAMPLES", 32)
        patch.setattr(loop, "PAIRS", 2)
        patch.setattr(batches, "_MOST_BATCHES", 4)
        return train(make_spec(), folder), folder


def equal(mine: TrainResult, theirs: TrainResult) -> bool:
    left, right = mine.vae.state_dict(), theirs.vae.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def log_of(folder: Path) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_log(folder)]


@pytest.mark.parametrize("stops", [(1,), (3,), (5,), (2, 4, 7), (3, 6)], ids=str)
def test_a_killed_run_resumes_to_the_same_weights(
    stops: tuple[int, ...], whole: tuple[TrainResult, Path], tmp_path: Path
) -> None:
    expected, folder = whole
    for stop in stops:
        train(make_spec(), tmp_path, stop_after=stop)
    found = train(make_spec(), tmp_path)
    assert equal(found, expected)
    assert (found.reconstruction, found.kl) == (expected.reconstruction, expected.kl)
    assert log_of(tmp_path) == log_of(folder)


def test_training_changes_with_its_seed_and_its_objective(whole: tuple[TrainResult, Path], tmp_path: Path) -> None:
    assert not equal(train(make_spec(seed=12), tmp_path / "seed"), whole[0])
    assert not equal(train(make_spec(objective={"name": "vae"}), tmp_path / "objective"), whole[0])


def test_a_resumed_run_begins_at_its_checkpoint(tmp_path: Path) -> None:
    seen: list[TrainProgress] = []
    train(make_spec(), tmp_path, seen.append, stop_after=5)
    assert [progress.step for progress in seen] == [1, 2, 3, 4, 5]
    assert all(progress.steps == STEPS for progress in seen)
    assert {"loss", "reconstruction", "kl", "total_correlation", "weight"} <= seen[0].terms.keys()
    seen.clear()
    train(make_spec(), tmp_path, seen.append)
    assert [progress.step for progress in seen] == [4, 5, 6, 7, 8, 9]
    seen.clear()
    train(make_spec(), tmp_path, seen.append)
    assert seen == []


def test_the_log_holds_the_means_since_the_last_checkpoint(tmp_path: Path) -> None:
    seen: list[TrainProgress] = []
    train(make_spec(), tmp_path, seen.append)
    log = log_of(tmp_path)
    assert [line["step"] for line in log] == [3, 6, 9]
    for position, line in enumerate(log):
        losses = [progress.terms["loss"] for progress in seen[3 * position : 3 * position + 3]]
        assert line["loss"] == pytest.approx(sum(losses) / 3)


def test_another_specs_checkpoint_is_refused(tmp_path: Path) -> None:
    train(make_spec(), tmp_path, stop_after=3)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    for changes in ({"seed": 12}, {"steps": 10}, {"objective": {"name": "vae"}}, {"model": {"latent_dim": 4}}):
        with pytest.raises(CausalVAEError) as caught:
            train(make_spec(**changes), tmp_path)
        assert caught.value.code == "CV403"
        assert "--out" in caught.value.remedy
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_refused(share: float, tmp_path: Path) -> None:
    train(make_spec(), tmp_path, stop_after=3)
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CausalVAEError) as caught:
        train(make_spec(), tmp_path)
    assert caught.value.code == "CV405"


def test_a_checkpoint_that_was_cut_off_in_writing_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt.partial").write_bytes(b"cut off")
    train(make_spec(steps=1), tmp_path)


def test_metadata_says_how_the_weights_came_to_be(whole: tuple[TrainResult, Path]) -> None:
    result = whole[0]
    metadata = result.metadata
    assert all(isinstance(value, str) for value in metadata.values())
    assert TrainSpec.model_validate(json.loads(metadata["training_spec"])) == make_spec()
    assert metadata["format"] == "causalvae/weights-v1"
    assert int(metadata["seconds"]) >= 0
    assert float(metadata["reconstruction_nats"]) == pytest.approx(result.reconstruction, abs=1e-3)
    assert json.loads(metadata["kl_nats"]) == list(result.kl)
    assert len(result.kl) == 3
    assert metadata["torch"] == torch.__version__
    assert "32" in metadata["images"]


def test_the_result_is_ready_for_use(whole: tuple[TrainResult, Path]) -> None:
    vae = whole[0].vae
    assert not vae.training
    assert vae(torch.zeros(2, 1, 64, 64)).shape == (2, 1, 64, 64)


def test_training_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    train(make_spec(steps=1), tmp_path)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.slow
def test_a_short_training_lowers_its_loss(tmp_path: Path) -> None:
    seen: list[float] = []
    spec = make_spec(objective={"name": "vae"}, batch_size=16, steps=60, checkpoint_every=60)
    result = train(spec, tmp_path, lambda progress: seen.append(progress.terms["loss"]))
    assert sum(seen[-10:]) < 0.5 * sum(seen[:10])
    assert result.reconstruction < 0.5 * 64 * 64 * 0.6931  # half of what an undecided network costs
