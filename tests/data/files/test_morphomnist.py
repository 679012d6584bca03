"""MorphoMNIST: its structural model in closed form, counterfactual images, and files in its layout."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from causalvae.data.dataset import open_dataset
from causalvae.data.files.labelled import space_of
from causalvae.data.files.morphomnist import MorphoMnistDataset, propagate_thickness
from causalvae.data.files.strokes import brightness, restroke
from causalvae.data.kinds.morphomnist import MorphoMnistData
from causalvae.data.pairs import draw_pairs
from causalvae.errors import CausalVAEError
from causalvae.readouts.strokes import intensity, thickness
from tests.data.files.writing import idx_bytes, write_bytes


def intensity_of(thick: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return 64 + 191 / (1 + np.exp(-(0.5 * noise + 2 * thick - 5)))


def structural_samples(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    thick, noise = 0.5 + rng.gamma(10, 0.2, n), rng.normal(size=n)
    return thick, noise, intensity_of(thick, noise)


def expected_intensity(thick: np.ndarray) -> np.ndarray:
    """E[intensity | do(thickness)]: the structural equation integrated over its noise by a Gauss-Hermite rule."""
    roots, weights = np.polynomial.hermite.hermgauss(64)
    return intensity_of(thick[:, None], np.sqrt(2) * roots) @ weights / np.sqrt(np.pi)


def interval(values: np.ndarray, level: float = 0.99) -> tuple[float, float]:
    half = stats.norm.ppf((1 + level) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def disc(side: int, radius: float, bright: float = 200.0) -> np.ndarray:
    at = (np.arange(side * 8) + 0.5) / 8 - side / 2
    fine = (at[:, None] ** 2 + at[None, :] ** 2 <= radius**2).astype(float)
    return bright * fine.reshape(side, 8, side, 8).mean(axis=(1, 3))


def bar(side: int, width: float, bright: float = 200.0) -> np.ndarray:
    at = np.clip(
        np.minimum(np.arange(side) + 1, side / 2 + width / 2) - np.maximum(np.arange(side), side / 2 - width / 2), 0, 1
    )
    image = np.repeat(bright * at[None, :], side, axis=0)
    image[:4] = image[-4:] = 0
    return image


def as_tensor(*images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(images) / 255)[:, None]


def small_folder(folder: Path, n: int = 20, part: str = "t10k", packed: bool = False, **changes) -> Path:
    thick, _, bright = structural_samples(n, 3)
    images = np.stack([bar(28, min(t, 10), i) for t, i in zip(thick, bright, strict=True)]).round().astype(np.uint8)
    lines = [f"{k},{t:.7g},{i:.7g}" for k, (t, i) in enumerate(zip(thick, bright, strict=True))]
    content = {
        "images-idx3-ubyte": idx_bytes(changes.get("images", images)),
        "labels-idx1-ubyte": idx_bytes(changes.get("labels", np.arange(n, dtype=np.uint8) % 10)),
    }
    for name, data in content.items():
        write_bytes(folder / f"{part}-{name}{'.gz' if packed else ''}", data, packed)
    table = changes.get("table", ["index,thickness,intensity", *lines])
    (folder / f"{part}-morpho.csv").write_text("\n".join(table) + "\n")
    return folder


def test_the_expectation_is_the_integral_of_the_structural_equation():
    for thick in (0.8, 2.5, 4.0):
        exact, _ = integrate.quad(
            lambda noise, thick=thick: stats.norm.pdf(noise) * intensity_of(np.float64(thick), np.float64(noise)),
            -12,
            12,
        )
        assert expected_intensity(np.array([thick]))[0] == pytest.approx(exact, abs=1e-8)


def test_a_sample_keeps_its_own_noise():
    thick, noise, bright = structural_samples(1000, 0)
    new = thick + np.linspace(-0.5, 2, 1000)
    assert np.allclose(propagate_thickness(thick, bright, new), intensity_of(new, noise), rtol=0, atol=1e-9)
    assert np.allclose(propagate_thickness(thick, bright, thick), bright, rtol=0, atol=1e-10)


def test_the_effect_of_thickness_on_samples_is_the_closed_form_within_its_interval():
    thick, _, bright = structural_samples(20_000, 1)
    for low, high in ((1.5, 3.0), (2.0, 2.5), (2.5, 4.0)):
        change = propagate_thickness(thick, bright, np.full(len(thick), high)) - propagate_thickness(
            thick, bright, np.full(len(thick), low)
        )
        least, most = interval(change)
        assert most - least < 1.5
        assert least < np.diff(expected_intensity(np.array([low, high])))[0] < most


def test_the_real_tables_follow_the_structural_model(morphomnist):
    rows = MorphoMnistDataset(morphomnist, "t10k").rows_at(np.arange(10_000))
    share = (rows[:, 2] - 64) / 191
    noise = 2 * (np.log(share / (1 - share)) - 2 * rows[:, 1] + 5)
    assert stats.kstest(noise, "norm").pvalue > 0.01
    assert stats.kstest((rows[:, 1] - 0.5) * 5, "gamma", (10,)).pvalue > 0.01
    assert abs(np.corrcoef(noise, rows[:, 1])[0, 1]) < 0.03


def test_readouts_find_the_real_labels(morphomnist):
    dataset = MorphoMnistDataset(morphomnist, "t10k")
    rows = dataset.rows_at(np.arange(1500))
    images, truth = dataset.inputs(rows), dataset.truth(rows)
    error = intensity(images).numpy() - truth["intensity"]
    assert abs(error.mean()) < 0.6
    assert np.sqrt((error**2).mean()) < 1.0
    error = thickness(images).numpy() - truth["thickness"]
    assert abs(error.mean()) < 0.03
    assert np.sqrt((error**2).mean()) < 0.2
    assert np.corrcoef(thickness(images).numpy(), truth["thickness"])[0, 1] > 0.94


def test_the_effect_measured_on_images_is_the_closed_form_within_its_interval(morphomnist):
    dataset = MorphoMnistDataset(morphomnist, "t10k")
    pairs = draw_pairs(dataset, factor="thickness", samples=256, seed=5, others="propagate", contrast="increase")
    before, after = dataset.inputs(pairs.base), dataset.inputs(pairs.counterfactual)
    change = (intensity(after) - intensity(before)).numpy()
    low, high = dataset.values(pairs.base)[:, 1], dataset.values(pairs.counterfactual)[:, 1]
    least, most = interval(change - (expected_intensity(high) - expected_intensity(low)))
    assert most - least < 8
    assert least < 0 < most
    grown = (thickness(after) - thickness(before)).numpy()
    assert (high > low).all()
    assert np.corrcoef(grown, high - low)[0, 1] > 0.95
    assert abs((grown - (high - low)).mean()) < 0.1


def test_holding_the_intensity_changes_thickness_alone(morphomnist):
    dataset = MorphoMnistDataset(morphomnist, "t10k")
    rows = dataset.rows_at(np.arange(80))
    held = dataset.intervene(rows, "thickness", rows[:, 1] + 1.5, "hold")
    assert np.array_equal(dataset.values(held)[:, 2], rows[:, 2])
    before, after = dataset.inputs(rows), dataset.inputs(held)
    assert float((intensity(after) - intensity(before)).abs().max()) < 0.5
    assert float((thickness(after) - thickness(before)).mean()) == pytest.approx(1.5, abs=0.15)
    # What was held is not made by the thickness any more.
    assert np.array_equal(
        dataset.values(dataset.intervene(held, "thickness", rows[:, 1], "propagate"))[:, 2], rows[:, 2]
    )


def test_setting_the_intensity_leaves_the_strokes(morphomnist):
    dataset = MorphoMnistDataset(morphomnist, "t10k")
    rows = dataset.rows_at(np.arange(100))
    dim = dataset.intervene(rows, "intensity", np.full(100, 100.0), "propagate")
    assert np.array_equal(dim[:, 1], rows[:, 1])
    images = dataset.inputs(dim)
    assert float((intensity(images) - 100).abs().max()) < 1.5
    assert torch.allclose(thickness(images), thickness(dataset.inputs(rows)), atol=1e-6)


def test_another_digit_is_an_image_of_it_with_the_same_factors(morphomnist):
    dataset = MorphoMnistDataset(morphomnist, "t10k")
    rows = dataset.rows_at(np.arange(200))
    sevens = dataset.intervene(rows, "digit", np.full(200, 7.0), "hold")
    assert (dataset.values(sevens)[:, 0] == 7).all()
    assert np.array_equal(dataset.values(sevens)[:, 1:], dataset.values(rows)[:, 1:])
    assert np.array_equal(sevens[dataset.values(rows)[:, 0] == 7], rows[dataset.values(rows)[:, 0] == 7])
    source = dataset.rows_at(sevens[:, 0].astype(int))
    assert np.abs(source[:, 1] - rows[:, 1]).max() < 0.3


def test_no_change_is_no_change():
    image = disc(28, 6.3) + np.random.default_rng(0).normal(0, 5, (28, 28)).clip(0)
    assert np.allclose(restroke(image, 0.0, brightness(image)), image, rtol=0, atol=1e-9)
    assert np.abs(restroke(image, 1e-4, brightness(image)) - image).max() < 5
    assert (restroke(np.zeros((9, 9)), 2.0, 100.0) == 0).all()


@pytest.mark.parametrize("change", [-4.0, -1.5, -0.4, 0.3, 1.0, 2.5, 5.0])
def test_a_disc_grows_by_half_the_change_on_every_side(change):
    found = restroke(disc(40, 10.0), change, 150.0) / 150
    assert found.sum() == pytest.approx(np.pi * (10 + change / 2) ** 2, rel=0.03)
    assert found.max() == pytest.approx(1.0)


@pytest.mark.parametrize("width", [2.0, 4.0, 6.0])
def test_the_thickness_of_a_bar_is_its_width(width):
    # A bar of length l and width w has 2 l + 2 w of outline: 2 w l / (2 l + 2 w).
    length = 56
    expected = width * length / (length + width)
    assert float(thickness(as_tensor(bar(64, width)))) == pytest.approx(expected, rel=0.06)
    assert float(thickness(as_tensor(bar(64, width, 80.0)))) == pytest.approx(
        float(thickness(as_tensor(bar(64, width)))), abs=1e-6
    )


def test_stroke_readouts_depend_on_one_image_alone_and_have_gradients():
    images = torch.rand((9, 1, 28, 28), generator=torch.Generator().manual_seed(0)) ** 4
    images[4] = 0
    for readout in (thickness, intensity):
        together = readout(images)
        assert together[4] == 0
        assert torch.equal(together, torch.cat([readout(image[None]) for image in images]))
        assert torch.equal(together, readout(images.flip(0)).flip(0))
        point = images[:2].double().requires_grad_()
        direction = torch.rand(point.shape, generator=torch.Generator().manual_seed(1)).double()
        (gradient,) = torch.autograd.grad(readout(point).sum(), point)
        step = 1e-7
        with torch.no_grad():
            slope = (readout(point + step * direction) - readout(point - step * direction)).sum() / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=0.05)
    with pytest.raises(CausalVAEError) as caught:
        thickness(torch.rand(2, 3, 8, 8))
    assert caught.value.code == "CV240"


@pytest.mark.parametrize("packed", [False, True])
def test_files_are_found_plain_or_packed_and_opened_anew_elsewhere(tmp_path, packed):
    section = MorphoMnistData(
        source="morphomnist", path=small_folder(tmp_path, packed=packed).name, part="t10k", size=32
    )
    dataset = open_dataset(section, tmp_path.parent)
    rows = dataset.draw(5, np.random.default_rng(0))
    images = dataset.inputs(rows)
    assert images.shape == (5, 1, 32, 32)
    assert float(images[:, :, :2].max()) == 0
    assert float(images.max()) <= 1
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again.inputs(rows), images)
    assert dataset.size == 20
    known = section.facts()
    assert known is not None
    assert known.structural
    assert known.input_shape == dataset.input_shape
    assert space_of(known.factors) == dataset.space
    assert dataset.describe()["images"] == 20


@pytest.mark.parametrize(
    ("changes", "code", "found"),
    [
        ({"images": np.zeros((20, 28, 27), np.uint8)}, "CV231", "(20, 28, 27)"),
        ({"images": np.zeros((20, 28, 28), np.int32)}, "CV231", "int32"),
        ({"labels": np.zeros(19, np.uint8)}, "CV231", "(19,)"),
        ({"labels": np.full(20, 10, np.uint8)}, "CV231", "10"),
        ({"table": ["index,thickness", "0,1"]}, "CV231", "index, thickness"),
        ({"table": ["index,thickness,intensity", "0,2.5,100"]}, "CV231", "1"),
        ({"table": ["index,thickness,intensity", "1,2.5,100"]}, "CV231", "line 0"),
        ({"table": ["index,thickness,intensity", "0,thick,100"]}, "CV231", "thick"),
        ({"table": ["index,thickness,intensity", *(f"{k},2,255" for k in range(20))]}, "CV231", "255 to 255"),
    ],
)
def test_another_layout_is_refused_with_what_was_found(tmp_path, changes, code, found):
    small_folder(tmp_path, **changes)
    with pytest.raises(CausalVAEError) as caught:
        MorphoMnistDataset(tmp_path, "t10k")
    assert caught.value.code == code
    assert found in caught.value.message
    assert "-morpho.csv" in caught.value.remedy


def test_absent_files_and_absent_digits_are_told(tmp_path):
    with pytest.raises(CausalVAEError) as caught:
        MorphoMnistDataset(small_folder(tmp_path), "train")
    assert caught.value.code == "CV230"
    small_folder(tmp_path, labels=np.zeros(20, np.uint8))
    dataset = MorphoMnistDataset(tmp_path, "t10k")
    with pytest.raises(CausalVAEError) as caught:
        dataset.intervene(dataset.rows_at(np.arange(3)), "digit", np.full(3, 5.0), "hold")
    assert caught.value.code == "CV206"
