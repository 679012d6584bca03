"""The user's own csv, npz and images: inputs, scaling, factors with and without a grid, and what is refused."""

from __future__ import annotations

import pickle
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from causalvae.data.dataset import open_dataset
from causalvae.data.kinds.csv import CsvData
from causalvae.data.kinds.images import ImagesData
from causalvae.data.kinds.npz import NpzData
from causalvae.data.pairs import draw_pairs, draw_swaps
from causalvae.errors import CausalVAEError

GRID = [(dose, cell) for dose, cell in product((0.5, 1.25, 4.0), ("a", "b"))]
CSV = "\n".join(
    ["cell, dose,gene_1,gene_2,note", *(f"{cell},{dose},{10 * k},{5 - k},x" for k, (dose, cell) in enumerate(GRID))]
)


def csv(tmp_path: Path, text: str = CSV, **keys):
    (tmp_path / "t.csv").write_text(text)
    keys = {"inputs": ("gene_*",), "factors": ["dose", "cell"], **keys}
    return open_dataset(CsvData.model_validate({"source": "csv", "path": "t.csv", **keys}), tmp_path)


def everything(dataset) -> np.ndarray:
    rows = (
        np.arange(dataset.size)[:, None]
        if not hasattr(dataset, "_row_of")
        else dataset.space.levels_of(np.arange(dataset.size))
    )
    return dataset.inputs(rows).numpy()


def test_a_table_whose_factors_make_a_grid_can_be_set(tmp_path):
    dataset = csv(tmp_path)
    assert dataset.space["dose"].kind == "ordinal"
    assert dataset.space["dose"].values == (0.5, 1.25, 4.0)
    assert dataset.space["cell"].labels == ("a", "b")
    assert dataset.input_shape == (2,)
    assert np.allclose(everything(dataset), np.stack([np.arange(6) / 5, 1 - np.arange(6) / 5], axis=1))
    pairs = draw_pairs(dataset, factor="dose", samples=50, seed=0, contrast="increase")
    before, after = dataset.values(pairs.base), dataset.values(pairs.counterfactual)
    assert (after[:, 0] > before[:, 0]).all()
    assert np.array_equal(after[:, 1], before[:, 1])
    row = GRID.index((4.0, "b"))
    found = dataset.intervene(np.array([[0, 1]]), "dose", np.array([4.0]), "hold")
    assert dataset.inputs(found).tolist() == [pytest.approx([row / 5, 1 - row / 5])]


def test_a_table_with_a_hole_or_a_double_is_only_observed(tmp_path):
    lines = CSV.split("\n")
    for text in ("\n".join(lines[:-1]), "\n".join([*lines[:-1], lines[-2]])):
        dataset = csv(tmp_path, text)
        assert dataset.space["dose"].kind == "continuous"
        assert not dataset.space["cell"].settable
        with pytest.raises(CausalVAEError) as caught:
            draw_pairs(dataset, factor="cell", samples=5, seed=0)
        assert caught.value.code == "CV206"
        assert "every combination" in caught.value.remedy
        assert dataset.values(np.array([[3]])).tolist() == [[1.25, 1.0]]


def test_without_factors_samples_can_be_swapped(tmp_path):
    dataset = csv(tmp_path, factors=[], inputs=("gene_2", "dose"))
    assert dataset.space.factors == ()
    rows = dataset.draw(9, np.random.default_rng(0))
    assert dataset.values(rows).shape == (9, 0)
    assert dataset.inputs(rows).shape == (9, 2)
    swapped = draw_swaps(dataset, samples=9, seed=1)
    assert not np.array_equal(swapped.base, swapped.counterfactual)
    assert dataset.describe()["factors"] == "none"


@pytest.mark.parametrize(
    ("scale", "expected"),
    [("none", [50.0, 0.0]), ([0, 100], [0.5, 0.0]), ("found", [1.0, 0.0]), ([-10.0, 10.0], [3.0, 0.5])],
)
def test_scales_are_found_declared_or_left(tmp_path, scale, expected):
    assert everything(csv(tmp_path, scale=scale, factors=[]))[-1].tolist() == pytest.approx(expected)


def test_a_column_that_never_changes_becomes_zero(tmp_path):
    dataset = csv(tmp_path, "a,b\n3,1\n3,2\n", inputs=("*",), factors=[])
    assert everything(dataset).tolist() == [[0, 0], [0, 1]]


def test_declared_kinds_and_columns_are_followed(tmp_path):
    factors = {
        "phase": {"column": "dose", "kind": "cyclic", "period": 8.0},
        "amount": {"column": "dose", "kind": "continuous"},
        "name": {"column": "dose", "kind": "categorical"},
    }
    dataset = csv(tmp_path, factors=factors)
    assert dataset.space["phase"].period == 8.0
    assert dataset.space["amount"].values == (0.5, 4.0)
    assert dataset.space["name"].labels == ("0.5", "1.25", "4.0")


def test_many_whole_numbers_are_continuous_and_few_are_levels(tmp_path):
    text = "few,many,x\n" + "\n".join(f"{k % 7},{k},{k}" for k in range(60))
    dataset = csv(tmp_path, text, inputs=("x",), factors={"few": {}, "many": {}})
    assert dataset.space["few"].kind == "ordinal"
    assert dataset.space["many"].kind == "continuous"


def test_it_is_opened_anew_in_another_process(tmp_path):
    dataset = csv(tmp_path)
    again = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(everything(again), everything(dataset))


@pytest.mark.parametrize(
    ("text", "keys", "code", "found"),
    [
        (CSV, {"inputs": ("gene_3",)}, "CV234", "gene_3"),
        (CSV, {"inputs": ("protein_*",)}, "CV234", "protein_*"),
        (CSV, {"factors": ["dosis"]}, "CV234", "dosis"),
        (CSV, {"inputs": ("note",)}, "CV235", "'x'"),
        (CSV.replace(",30,", ",,"), {}, "CV235", "sample 3"),
        (CSV.replace("b,1.25", "b,"), {}, "CV235", "sample 3"),
        (CSV.replace("b,1.25", ",1.25"), {}, "CV235", "sample 3"),
        (CSV, {"factors": {"cell": {"kind": "ordinal"}}}, "CV236", "text"),
        (CSV.replace("gene_2", "gene_1"), {}, "CV231", "'gene_1' twice"),
        (CSV.replace("a,0.5,", "a,0.5,7,8,9,10,11,"), {}, "CV231", "10 in line 2"),
        (CSV.replace("b,1.25,", "b,1.25,7,"), {}, "CV231", "6 in line 5"),
        ("", {}, "CV231", "nothing"),
        ("cell,dose,gene_1\n", {}, "CV231", "none"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, keys, code, found):
    with pytest.raises(CausalVAEError) as caught:
        csv(tmp_path, text, **keys)
    assert caught.value.code == code
    assert found in caught.value.message
    assert caught.value.place.endswith("t.csv")


def npz(tmp_path: Path, arrays: dict[str, np.ndarray], write=np.savez, **keys):
    write(tmp_path / "a.npz", **arrays)
    return open_dataset(NpzData.model_validate({"source": "npz", "path": "a.npz", **keys}), tmp_path)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_of_images_are_turned_and_scaled(tmp_path, write):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 9, 3), dtype=np.uint8)
    arrays = {"inputs": images, "size": np.arange(6), "kind": np.array(list("aabbcc"))}
    dataset = npz(tmp_path, arrays, write, factors=["kind", "size"])
    assert dataset.input_shape == (3, 8, 9)
    assert torch.equal(
        dataset.inputs(np.arange(6)[:, None]), torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    )
    assert [factor.kind for factor in dataset.space.factors] == ["categorical", "ordinal"]


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((4, 5), "auto", (5,)),
        ((4, 8, 9), "auto", (1, 8, 9)),
        ((4, 8, 9), "as_stored", (8, 9)),
        ((4, 3, 8, 9), "auto", (3, 8, 9)),
        ((4, 8, 9, 2), "auto", (8, 9, 2)),
        ((4, 8, 9, 2), "channels_last", (2, 8, 9)),
        ((4, 1, 16), "as_stored", (1, 16)),
        ((4, 16, 2), "channels_last", (2, 16)),
    ],
)
def test_layouts(tmp_path, shape, layout, expected):
    array = np.random.default_rng(0).normal(size=shape)
    dataset = npz(tmp_path, {"inputs": array}, layout=layout)
    inputs = dataset.inputs(np.arange(4)[:, None])
    assert dataset.input_shape == expected == tuple(inputs.shape[1:])
    assert float(inputs.min()) == 0
    assert float(inputs.max()) == 1
    wanted = (array - array.min()) / (array.max() - array.min())
    assert np.allclose(np.sort(inputs.numpy().ravel()), np.sort(wanted.ravel()), atol=1e-6)
    if layout == "channels_last":
        assert np.allclose(inputs.numpy(), np.moveaxis(wanted, -1, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "keys", "code", "found"),
    [
        ({"inputs": np.zeros((3, 2))}, {"inputs": "images"}, "CV234", "images"),
        ({"inputs": np.zeros((3, 2))}, {"factors": ["size"]}, "CV234", "size"),
        ({"inputs": np.zeros((3, 2)), "size": np.zeros(2)}, {"factors": ["size"]}, "CV231", "(2,)"),
        ({"inputs": np.zeros(3)}, {}, "CV231", "(3,)"),
        ({"inputs": np.array([["a", "b"]])}, {}, "CV231", "<U1"),
        ({"inputs": np.array([[1.0], [np.nan]])}, {}, "CV235", "sample 1"),
        ({"inputs": np.array([[object()]])}, {}, "CV231", "never unpickled"),
        ({"inputs": np.zeros((2, 1)), "z": np.zeros(2, complex)}, {"factors": ["z"]}, "CV236", "complex"),
    ],
)
def test_other_arrays_are_refused(tmp_path, arrays, keys, code, found):
    with pytest.raises(CausalVAEError) as caught:
        npz(tmp_path, arrays, **keys)
    assert caught.value.code == code
    assert found in caught.value.message


def write_images(folder: Path) -> list[np.ndarray]:
    (folder / "pictures").mkdir()
    made = []
    for number, name in enumerate(("b.png", "a.jpg", "c.png")):
        picture = np.full((20, 30, 3), 60 * (number + 1), np.uint8)
        picture[:, :5] = 255
        Image.fromarray(picture).save(folder / "pictures" / name, quality=100)
        made.append(picture)
    (folder / "pictures" / "readme.txt").write_text("no image")
    return made


def images(folder: Path, **keys):
    section = {"source": "images", "path": "pictures", "size": 10, **keys}
    return open_dataset(ImagesData.model_validate(section), folder)


def test_images_of_a_folder_are_in_the_order_of_their_names(tmp_path):
    write_images(tmp_path)
    dataset = images(tmp_path)
    found = dataset.inputs(np.arange(3)[:, None])
    assert found.shape == (3, 3, 10, 10)
    # The middle square leaves the white margin out.
    assert np.allclose(found.mean(dim=(1, 2, 3)).numpy() * 255, [120, 60, 180], atol=2)
    assert images(tmp_path, colour=False).input_shape == (1, 10, 10)


def test_a_table_names_images_and_their_factors(tmp_path):
    write_images(tmp_path)
    (tmp_path / "t.csv").write_text("file,shade,extra\nc.png,3,x\nb.png,1,y\n")
    dataset = images(tmp_path, table="t.csv", factors=["shade"])
    assert dataset.size == 2
    rows = dataset.space.levels_of(np.arange(2))
    assert np.allclose(dataset.inputs(rows).mean(dim=(1, 2, 3)).numpy() * 255, [60, 180], atol=2)
    set_to = dataset.intervene(rows, "shade", np.array([3.0, 3.0]), "hold")
    assert np.allclose(dataset.inputs(set_to).mean(dim=(1, 2, 3)).numpy() * 255, [180, 180], atol=2)


@pytest.mark.parametrize(
    ("table", "keys", "code", "found"),
    [
        ("file,shade\n../t.csv,1\n", {}, "CV231", "../t.csv"),
        ("file,shade\n/etc/hostname,1\n", {}, "CV231", "/etc/hostname"),
        ("file,shade\nd.png,1\n", {}, "CV230", "d.png"),
        ("name,shade\nb.png,1\n", {}, "CV234", "file"),
        ("file,shade\nb.png,1\n", {"factors": ["tone"]}, "CV234", "tone"),
        ("file,shade\nreadme.txt,1\n", {}, "CV235", "readme.txt"),
    ],
)
def test_tables_that_do_not_fit_their_images_are_refused(tmp_path, table, keys, code, found):
    write_images(tmp_path)
    (tmp_path / "t.csv").write_text(table)
    with pytest.raises(CausalVAEError) as caught:
        images(tmp_path, **{"table": "t.csv", "factors": ["shade"], **keys})
    assert caught.value.code == code
    assert found in caught.value.message


def test_folders_without_images_are_refused(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(CausalVAEError, match="none") as caught:
        images(tmp_path)
    assert caught.value.code == "CV231"
    with pytest.raises(CausalVAEError) as caught:
        images(tmp_path, path="elsewhere")
    assert caught.value.code == "CV230"


def test_images_of_one_channel_give_convolutions_whose_output_a_view_takes(tmp_path):
    write_images(tmp_path)
    (tmp_path / "arrays").mkdir()
    pictures = npz(tmp_path / "arrays", {"x": np.random.default_rng(0).random((6, 8, 8, 1))}, inputs="x", factors=[])
    for dataset in (images(tmp_path, size=8, colour=False, factors=[]), pictures):
        x = dataset.inputs(np.array([[0], [1]]))
        assert x.shape == (2, 1, 8, 8)
        assert x.stride() == (64, 64, 8, 1)
        torch.nn.Conv2d(1, 4, 3)(x).view(2, -1)
