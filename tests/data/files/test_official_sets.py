"""3D Shapes, MPI3D, small NORB and Cars3D: files in the exact layout are read by their factors, others refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from causalvae.data.factors import Factor, FactorSpace
from causalvae.data.files.cars3d import open_cars3d
from causalvae.data.files.labelled import space_of
from causalvae.data.files.mpi3d import open_mpi3d
from causalvae.data.files.shapes3d import open_shapes3d
from causalvae.data.files.smallnorb import open_smallnorb
from causalvae.data.official_factors import mpi3d_factors, smallnorb_factors
from causalvae.errors import CausalVAEError
from tests.data.files.writing import norb_bytes, pictures, write_bytes

h5py = pytest.importorskip("h5py")

SIZES = (2, 3, 2, 2, 2, 3)


def shown(dataset, rows) -> np.ndarray:
    """What the data set gives, as bytes with channels last."""
    return np.moveaxis((dataset.inputs(rows).numpy() * 255).round().astype(np.uint8), 1, -1)


def all_rows(dataset) -> np.ndarray:
    return dataset.space.levels_of(np.arange(len(dataset.space)))


def shapes3d_labels(order: np.ndarray) -> np.ndarray:
    # The real file's hues and scales do not start at 0 nor end at 1: levels must be found by rank.
    grids = [np.linspace(0.1, 0.9, size) for size in SIZES[:3]]
    grids += [np.linspace(0.75, 1.25, SIZES[3]), np.arange(SIZES[4]), np.linspace(-30, 30, SIZES[5])]
    levels = np.stack(np.unravel_index(order, SIZES), axis=1)
    return np.stack([grid[levels[:, column]] for column, grid in enumerate(grids)], axis=1)


def write_shapes3d(path: Path, order: np.ndarray | None = None, chunks=None, **changes) -> np.ndarray:
    order = np.arange(np.prod(SIZES)) if order is None else order
    images = pictures(len(order), 64, 3)
    with h5py.File(path, "w") as file:
        for name, array in {"images": images, "labels": shapes3d_labels(order), **changes}.items():
            if array is not None:
                kind = {"chunks": chunks, "compression": "gzip"} if chunks and name == "images" else {}
                file.create_dataset(name, data=array, **kind)
    return images


@pytest.mark.parametrize("chunks", [None, (50, 8, 64, 1)], ids=["in one piece", "in chunks"])
def test_3d_shapes_come_back_by_their_labels_in_any_order(tmp_path, chunks):
    order = np.random.default_rng(0).permutation(np.prod(SIZES))
    images = write_shapes3d(tmp_path / "3dshapes.h5", order, chunks)
    dataset = open_shapes3d(tmp_path / "3dshapes.h5", SIZES)
    assert dataset.space.sizes == SIZES
    assert dataset.space["scale"].values == (0.75, 1.25)
    assert dataset.space["shape"].labels == ("cube", "cylinder")
    rows = all_rows(dataset)
    assert np.array_equal(shown(dataset, rows)[order], images)
    changed = dataset.intervene(rows, "scale", np.full(len(rows), 1.25), "propagate")
    values = dataset.values(changed)
    assert (values[:, 3] == 1.25).all()
    assert np.array_equal(np.delete(values, 3, axis=1), np.delete(dataset.values(rows), 3, axis=1))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"images": None}, "labels"),
        ({"images": pictures(10, 64, 3)}, "(10, 64, 64, 3)"),
        ({"labels": shapes3d_labels(np.arange(144)).astype(np.float32)}, "float32"),
        ({"labels": shapes3d_labels(np.zeros(144, int))}, "1"),
        ({"labels": shapes3d_labels(np.r_[0, np.arange(143)])}, "1 of 144 missing"),
    ],
)
def test_another_hdf5_is_refused(tmp_path, changes, found):
    write_shapes3d(tmp_path / "3dshapes.h5", **changes)
    with pytest.raises(CausalVAEError) as caught:
        open_shapes3d(tmp_path / "3dshapes.h5", SIZES)
    assert caught.value.code == "CV231"
    assert found in caught.value.message


def test_no_file_no_hdf5_and_no_h5py_are_told_apart(tmp_path, monkeypatch):
    with pytest.raises(CausalVAEError) as caught:
        open_shapes3d(tmp_path / "3dshapes.h5")
    assert caught.value.code == "CV230"
    (tmp_path / "3dshapes.h5").write_bytes(b"something else")
    with pytest.raises(CausalVAEError) as caught:
        open_shapes3d(tmp_path / "3dshapes.h5")
    assert caught.value.code == "CV231"
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(CausalVAEError) as caught:
        open_shapes3d(tmp_path / "3dshapes.h5")
    assert caught.value.code == "CV232"
    assert "causalvae[data]" in caught.value.remedy


def small_mpi3d() -> FactorSpace:
    factors = space_of(mpi3d_factors("complex")).factors
    return FactorSpace(tuple(Factor(f.name, f.kind, f.values[:2], f.labels[:2]) for f in factors))


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_mpi3d_lies_in_the_order_of_its_grid(tmp_path, write):
    space = small_mpi3d()
    images = pictures(len(space), 64, 3)
    write(tmp_path / "mpi3d.npz", images=images)
    dataset = open_mpi3d(tmp_path / "mpi3d.npz", "complex", space)
    assert np.array_equal(shown(dataset, all_rows(dataset)), images)
    levels = np.array([[0, 1, 0, 1, 1, 0, 1]])
    assert np.array_equal(shown(dataset, levels)[0], images.reshape(*space.sizes, 64, 64, 3)[0, 1, 0, 1, 1, 0, 1])


def test_mpi3d_of_another_variant_is_refused(tmp_path):
    np.savez(tmp_path / "mpi3d.npz", images=pictures(128, 64, 3))
    for variant, n in (("toy", 1_036_800), ("complex", 460_800)):
        with pytest.raises(CausalVAEError) as caught:
            open_mpi3d(tmp_path / "mpi3d.npz", variant)
        assert caught.value.code == "CV231"
        assert str(n) in caught.value.message
        assert variant in caught.value.remedy
    np.savez(tmp_path / "mpi3d.npz", pictures=np.zeros(3))
    with pytest.raises(CausalVAEError, match="pictures"):
        open_mpi3d(tmp_path / "mpi3d.npz", "toy")


def small_norb(part: str) -> FactorSpace:
    """The part's grid with two categories, elevations, azimuths and lightings, but all instances."""
    keep = {"category": 2, "elevation": 2, "azimuth": 2, "lighting": 2}
    factors = space_of(smallnorb_factors(part)).factors
    return FactorSpace(
        tuple(
            Factor(f.name, f.kind, f.values[: keep.get(f.name)], f.labels[: keep.get(f.name)], f.period)
            for f in factors
        )
    )


def write_norb(folder: Path, part: str, seed: int, packed: bool = False, **changes) -> tuple[np.ndarray, np.ndarray]:
    """Stereo images in shuffled order, and the levels of each; azimuth is written in tens of degrees, as published."""
    space = small_norb(part)
    levels = space.levels_of(np.random.default_rng(seed).permutation(len(space)))
    instances = np.array([int(label) for label in space["instance"].labels])
    stereo = np.random.default_rng(seed).integers(0, 256, (len(levels), 2, 96, 96), dtype=np.uint8)
    info = np.stack([instances[levels[:, 1]], levels[:, 2], 2 * levels[:, 3], levels[:, 4]], axis=1)
    names = {
        "training": "smallnorb-5x46789x9x18x6x2x96x96-training",
        "testing": "smallnorb-5x01235x9x18x6x2x96x96-testing",
    }
    arrays = {"dat": stereo, "cat": levels[:, 0].astype(np.int32), "info": info.astype(np.int32), **changes}
    for kind, array in arrays.items():
        name = f"{names[part]}-{kind}.mat{'.gz' if packed else ''}"
        write_bytes(folder / name, norb_bytes(array), packed)
    return stereo, levels


@pytest.mark.parametrize("packed", [False, True])
def test_small_norb_parts_make_one_grid(tmp_path, packed):
    written = {part: write_norb(tmp_path, part, seed, packed) for seed, part in enumerate(("training", "testing"))}
    both = open_smallnorb(tmp_path, "both", "right", 96, small_norb("both"))
    for part, (stereo, levels) in written.items():
        dataset = open_smallnorb(tmp_path, part, "left", 96, small_norb(part))
        assert np.array_equal(shown(dataset, levels)[..., 0], stereo[:, 0])
        whole = levels.copy()
        whole[:, 1] = [int(label) for label in np.array(dataset.space["instance"].labels)[levels[:, 1]]]
        assert np.array_equal(shown(both, whole)[..., 0], stereo[:, 1])
    assert both.inputs(whole[:2]).stride() == (96 * 96, 96 * 96, 96, 1), "not read as channels-last by convolutions"
    assert both.space["azimuth"].values == (0.0, 20.0)
    assert open_smallnorb(tmp_path, "training", "left", 48, small_norb("training")).input_shape == (1, 48, 48)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"dat": np.zeros((80, 2, 96, 95), np.uint8)}, "(80, 2, 96, 95)"),
        ({"cat": np.zeros(79, np.int32)}, "(79,)"),
        ({"info": np.zeros((80, 3), np.int32)}, "(80, 3)"),
        ({"cat": np.zeros(80, np.int32)}, "40 of 80"),
        ({"info": np.full((80, 4), 1, np.int32)}, "1"),
    ],
)
def test_other_norb_files_are_refused(tmp_path, changes, found):
    write_norb(tmp_path, "training", 0, **changes)
    with pytest.raises(CausalVAEError) as caught:
        open_smallnorb(tmp_path, "training", "left", 64, small_norb("training"))
    assert caught.value.code == "CV231"
    assert found in caught.value.message


def test_a_matlab_file_is_no_norb_and_a_missing_part_is_told(tmp_path):
    write_norb(tmp_path, "training", 0)
    with pytest.raises(CausalVAEError) as caught:
        open_smallnorb(tmp_path, "both", "left", 64)
    assert caught.value.code == "CV230"
    assert "data.part" in caught.value.remedy
    savemat(tmp_path / "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat", {"a": np.zeros(3)})
    with pytest.raises(CausalVAEError, match="small NORB format"):
        open_smallnorb(tmp_path, "training", "left", 64)


def write_cars(folder: Path, cars: int) -> np.ndarray:
    """Cars in the files' own axes: height, width, colour, azimuth, elevation; names in an order that must be sorted."""
    every = np.random.default_rng(0).integers(0, 256, (cars, 128, 128, 3, 24, 4), dtype=np.uint8)
    for car in reversed(range(cars)):
        savemat(folder / f"car_{car:03d}_mesh.mat", {"im": every[car]}, do_compression=True)
    return every


def test_cars_are_numbered_by_their_names_and_axes_are_azimuth_then_elevation(tmp_path):
    every = write_cars(tmp_path, 2)
    dataset = open_cars3d(tmp_path, 128, cars=2)
    rows = dataset.draw(20, np.random.default_rng(1))
    expected = np.stack([every[car, :, :, :, azimuth, elevation] for elevation, azimuth, car in rows])
    assert np.array_equal(shown(dataset, rows), expected)
    small = open_cars3d(tmp_path, 64, cars=2)
    assert small.input_shape == (3, 64, 64)
    halved = np.asarray(Image.fromarray(expected[0]).resize((64, 64), Image.Resampling.BOX))
    assert np.array_equal(shown(small, rows[:1])[0], halved)
    with pytest.raises(CausalVAEError, match=r"183 \.mat files") as caught:
        open_cars3d(tmp_path, 64)
    assert caught.value.code == "CV231"


def test_another_mat_is_no_car(tmp_path):
    savemat(tmp_path / "car.mat", {"image": np.zeros(3)})
    with pytest.raises(CausalVAEError, match="no im"):
        open_cars3d(tmp_path, 64, cars=1)
    savemat(tmp_path / "car.mat", {"im": np.zeros((128, 128, 3, 24), np.uint8)})
    with pytest.raises(CausalVAEError, match="24, 4"):
        open_cars3d(tmp_path, 64, cars=1)
    (tmp_path / "car.mat").write_bytes(b"no MATLAB")
    with pytest.raises(CausalVAEError, match="MATLAB"):
        open_cars3d(tmp_path, 64, cars=1)
    with pytest.raises(CausalVAEError) as caught:
        open_cars3d(tmp_path / "none", 64)
    assert caught.value.code == "CV230"
