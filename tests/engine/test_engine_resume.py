"""A killed run resumes to the same bytes and runs nothing twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from causalvae.engine.execute import choose_device, execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.engine.progress import Progress
from causalvae.engine.tables import read_table
from causalvae.errors import CausalVAEError
from causalvae.files import read_json, write_json
from causalvae.models.loading import Model
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Traversal, Treatment
from causalvae.spec.value_source import make_source
from tests.engine.conftest import Blobs

Measure = Callable[[Tensor], Tensor]
PAIRS = 14
PATCHES = (
    (),
    (Patch("latent", (1,), make_source("interchange")),),
    (Patch("encoder.conv2", (0, 3), make_source("mean")),),
    (Patch("latent", (2,), make_source("quantile", 0.9)),),
    (Patch("latent", (0,), make_source("resample", seed=1)),),
    # Along encoder.conv2 -> latent[2] alone.
    (
        Patch(
            "latent", (2,), make_source("relayed", upstream=(Patch("encoder.conv2", (1,), make_source("interchange")),))
        ),
    ),
)
PLAN = Plan(
    name="resume",
    spec_digest="s",
    model_digest="small",
    cohorts=(
        Cohort(OBSERVED, 9, 1),
        Cohort("resize", PAIRS, 1, Treatment("resize", "scale", None, "hold", "increase")),
    ),
    arms=(
        Arm(OBSERVED, "base", (), 9),
        Arm(OBSERVED, "base", PATCHES[3], 6),
        *(Arm("resize", side, patches, PAIRS) for patches in PATCHES for side in ("base", "counterfactual")),
    ),
    uses=(),
    attributes=("area", "weighted", "contrast"),
    traversals=(Traversal(1, "latent[1]", (0.1, 0.9), 0),),
    shard_pairs=4,
    options=Options(rerun="suffix", skip_dead_rows=True),
)


class KilledError(Exception):
    pass


class Counter:
    """A measure that counts the rows that it is asked for."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self.rows = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.rows += len(images)
        return self._measure(images)


def shard_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def run(model: Model, measure: Measure, folder: Path, plan: Plan = PLAN, on_progress: object = None) -> Measurements:
    extra = {} if on_progress is None else {"on_progress": on_progress}
    return execute_plan(plan, model, Blobs(), measure, folder, "cpu", **extra)  # type: ignore[arg-type]


def kill_when(shards: int, folder: Path) -> Callable[[Progress], None]:
    """Stop, as a killed process would, in the middle of the shard after `shards` finished ones."""

    def on_progress(progress: Progress) -> None:
        if len(list((folder / "outcomes").glob("*.parquet"))) >= shards:
            raise KilledError

    return on_progress


@pytest.fixture
def one_core() -> Iterator[None]:
    """One shard at a time, so that it is known which are finished when a run dies."""
    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(allowed)


@pytest.fixture(scope="module")
def whole(
    sample_model: Model, measure: Measure, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Measurements, int]:
    folder = tmp_path_factory.mktemp("whole")
    counter = Counter(measure)
    found = run(sample_model, counter, folder)
    return folder, found, counter.rows


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("shards", [0, 1, 2, 4, 5])
def test_a_killed_run_resumes_to_the_same_bytes(
    shards: int, whole: tuple[Path, Measurements, int], sample_model: Model, measure: Measure, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        run(sample_model, measure, tmp_path, on_progress=kill_when(shards, tmp_path))
    finished = {path: path.stat() for path in (tmp_path / "outcomes").glob("*.parquet")}
    assert len(finished) == shards
    found = run(sample_model, measure, tmp_path)
    assert shard_files(tmp_path) == shard_files(whole[0])
    for path, before in finished.items():
        after = path.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns), "a finished shard was redone"
    expected = whole[1]
    assert found.outcomes.equals(expected.outcomes)
    assert found.observations.equals(expected.observations)
    assert found.pairs.equals(expected.pairs)
    assert found.responses.equals(expected.responses)
    unlike = ("seconds", "threads")
    assert {key: value for key, value in found.manifest.items() if key not in unlike} == {
        key: value for key, value in expected.manifest.items() if key not in unlike
    }


@pytest.mark.parametrize("cores", [1, 3])
def test_the_number_of_cores_changes_no_byte(
    cores: int, whole: tuple[Path, Measurements, int], sample_model: Model, measure: Measure, tmp_path: Path
) -> None:
    allowed = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        run(sample_model, measure, tmp_path)
        assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(allowed)
    assert shard_files(tmp_path) == shard_files(whole[0])


def test_a_run_on_several_cores_that_dies_keeps_whole_shards_and_resumes(
    whole: tuple[Path, Measurements, int], sample_model: Model, measure: Measure, tmp_path: Path
) -> None:
    allowed = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(KilledError):
            run(sample_model, measure, tmp_path, on_progress=kill_when(1, tmp_path))
    finally:
        torch.set_num_threads(allowed)
    finished = shard_files(tmp_path)
    expected = shard_files(whole[0])
    assert 1 <= len(finished) < len(expected)
    assert all(expected[name] == content for name, content in finished.items())
    run(sample_model, measure, tmp_path)
    assert shard_files(tmp_path) == expected


def test_a_finished_run_measures_nothing_again(
    whole: tuple[Path, Measurements, int], sample_model: Model, measure: Measure
) -> None:
    folder, found, rows = whole
    before = shard_files(folder)
    counter = Counter(measure)
    again = run(sample_model, counter, folder)
    assert rows > 0
    assert counter.rows == 0
    assert again.outcomes.equals(found.outcomes)
    assert shard_files(folder) == before


def test_only_missing_shards_are_run(
    whole: tuple[Path, Measurements, int], sample_model: Model, measure: Measure, tmp_path: Path
) -> None:
    run(sample_model, measure, tmp_path)
    path = tmp_path / "outcomes" / "resize.00001.parquet"
    kept = path.read_bytes()
    path.unlink()
    counter = Counter(measure)
    run(sample_model, counter, tmp_path)
    assert path.read_bytes() == kept
    # Two clean sides of a shard of 4, and at most the 8 patched arms of it.
    assert 8 <= counter.rows <= 8 + 8 * 4


def test_partial_files_are_not_taken_for_whole_ones(
    whole: tuple[Path, Measurements, int], sample_model: Model, measure: Measure, tmp_path: Path
) -> None:
    for name in ("outcomes/resize.00000.parquet.partial", "observations/00000.parquet.partial"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PAR1 cut off")
    run(sample_model, measure, tmp_path)
    assert shard_files(tmp_path) == shard_files(whole[0])


def test_a_shard_of_which_a_file_was_lost_is_run_again(sample_model: Model, measure: Measure, tmp_path: Path) -> None:
    """A shard counts as done only when both of its files are there."""
    found = run(sample_model, measure, tmp_path)
    (tmp_path / "observations" / "00001.parquet").unlink()
    again = run(sample_model, measure, tmp_path)
    assert again.observations.equals(found.observations)


def test_progress_ends_at_the_total_and_never_falls(sample_model: Model, measure: Measure, tmp_path: Path) -> None:
    for attempt in range(2):
        seen: list[Progress] = []
        run(sample_model, measure, tmp_path, on_progress=seen.append)
        done = [progress.done for progress in seen]
        assert done == sorted(done), attempt
        assert done[-1] == seen[-1].total == sum(arm.pairs for arm in PLAN.arms)


def test_another_plans_folder_is_refused(sample_model: Model, measure: Measure, tmp_path: Path) -> None:
    run(sample_model, measure, tmp_path)
    before = shard_files(tmp_path)
    for other in (replace(PLAN, seed=9), replace(PLAN, arms=PLAN.arms[:3]), replace(PLAN, model_digest="other")):
        with pytest.raises(CausalVAEError) as caught:
            run(sample_model, measure, tmp_path, other)
        assert caught.value.code == "CV402"
    assert shard_files(tmp_path) == before
    assert json.loads((tmp_path / "plan.json").read_text())["digest"] == PLAN.tables_digest


def test_pass_records_do_not_make_another_plan(sample_model: Model, measure: Measure, tmp_path: Path) -> None:
    from causalvae.plan.types import PassRecord

    run(sample_model, measure, tmp_path)
    noted = replace(PLAN, passes=(PassRecord("share", 1, 1, 1.0, 1.0),))
    run(sample_model, measure, tmp_path, noted)


def test_resampling_a_single_input_is_refused(sample_model: Model, measure: Measure, tmp_path: Path) -> None:
    cohort = replace(PLAN.cohorts[1], samples=1)
    plan = replace(PLAN, cohorts=(cohort,), arms=(Arm("resize", "base", PATCHES[4], 1),), traversals=())
    with pytest.raises(CausalVAEError) as caught:
        run(sample_model, measure, tmp_path, plan)
    assert caught.value.code == "CV404"


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(CausalVAEError) as caught:
        choose_device("cuda")
    assert caught.value.code == "CV401"


def test_a_damaged_table_is_named_and_only_its_shard_is_run_again(
    whole: tuple[Path, Measurements, int],
    sample_model: Model,
    measure: Measure,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run(sample_model, measure, tmp_path)
    broken = sorted((tmp_path / "outcomes").glob("*.parquet"))[1]
    others = {path: path.stat().st_mtime_ns for path in (tmp_path / "outcomes").glob("*.parquet") if path != broken}
    broken.write_bytes(b"PAR1 cut short")
    with pytest.raises(CausalVAEError) as caught:
        read_table(broken)
    assert caught.value.code == "CV406"
    assert str(broken) in caught.value.message
    run(sample_model, measure, tmp_path)
    assert f"{broken} is damaged and has been deleted" in caplog.text
    assert shard_files(tmp_path) == shard_files(whole[0])
    assert {path: path.stat().st_mtime_ns for path in others} == others


def test_one_flipped_bit_anywhere_is_noticed_and_mended(
    whole: tuple[Path, Measurements, int],
    sample_model: Model,
    measure: Measure,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(whole[0], tmp_path / "run")
    tables = sorted((tmp_path / "run").rglob("*.parquet"))
    for number, path in enumerate([*tables, *(tmp_path / "run" / "costs").glob("resize.*.json")]):
        content = bytearray(path.read_bytes())
        content[(number + 1) * len(content) // (len(tables) + 9)] ^= 1 << number % 8
        path.write_bytes(content)
    found = run(sample_model, measure, tmp_path / "run")
    assert shard_files(tmp_path / "run") == shard_files(whole[0])
    assert found.outcomes.equals(whole[1].outcomes)
    assert all(str(path) in caplog.text for path in tables)


def test_an_intact_table_in_the_wrong_place_is_noticed(
    whole: tuple[Path, Measurements, int], sample_model: Model, measure: Measure, tmp_path: Path
) -> None:
    shutil.copytree(whole[0], tmp_path / "run")
    folder = tmp_path / "run" / "observations"
    shutil.copyfile(folder / "00000.parquet", folder / "00001.parquet")
    found = run(sample_model, measure, tmp_path / "run")
    assert found.observations.equals(whole[1].observations)
    assert shard_files(tmp_path / "run") == shard_files(whole[0])


@pytest.mark.parametrize("key", ["causalvae", "torch", "device", "data"])
def test_tables_of_another_environment_are_not_mixed_with_new_ones(
    key: str, sample_model: Model, measure: Measure, tmp_path: Path
) -> None:
    run(sample_model, measure, tmp_path)
    marker = tmp_path / "plan.json"
    held = read_json(marker)
    held["environment"][key] = "other"
    write_json(held, marker)
    with pytest.raises(CausalVAEError) as caught:
        run(sample_model, measure, tmp_path)
    assert caught.value.code == "CV402"
    assert key in caught.value.message


def test_a_garbled_marker_is_refused(sample_model: Model, measure: Measure, tmp_path: Path) -> None:
    run(sample_model, measure, tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(CausalVAEError) as caught:
        run(sample_model, measure, tmp_path)
    assert caught.value.code == "CV402"
