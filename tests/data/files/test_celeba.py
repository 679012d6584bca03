"""CelebA in its authors' layout and in Kaggle's: images, attributes, parts; no counterfactuals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from causalvae.data.files.celeba import open_celeba
from causalvae.data.official_factors import CELEBA_ATTRIBUTES
from causalvae.data.pairs import draw_pairs
from causalvae.errors import CausalVAEError

N = 6
FLAGS = np.where(np.random.default_rng(0).random((N, 40)) < 0.5, -1, 1)
FLAGS[2, 0] = 1
NAMES = [f"{number:06d}.jpg" for number in range(1, N + 1)]
PARTS = (0, 0, 1, 2, 0, 2)


def write_celeba(folder: Path, kaggle: bool = False, size: tuple[int, int] = (178, 218)) -> Path:
    images = folder / "img_align_celeba" / ("img_align_celeba" if kaggle else "")
    images.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        shade = np.zeros((size[1], size[0], 3), np.uint8)
        shade[..., 0], shade[100:, :, 1] = 40 * number, 200
        Image.fromarray(shade).save(images / name, quality=95)
    if kaggle:
        lines = [f"{name},{','.join(map(str, row))}" for name, row in zip(NAMES, FLAGS, strict=True)]
        (folder / "list_attr_celeba.csv").write_text("\n".join([f"image_id,{','.join(CELEBA_ATTRIBUTES)}", *lines]))
        parts = [f"{name},{part}" for name, part in zip(NAMES, PARTS, strict=True)]
        (folder / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *parts]))
    else:
        # The authors' lines have one or two blanks, for the minus sign's sake, and one at the end.
        lines = [name + "".join(f" {flag:2d}" for flag in row) + " " for name, row in zip(NAMES, FLAGS, strict=True)]
        (folder / "list_attr_celeba.txt").write_text("\n".join([str(N), " ".join(CELEBA_ATTRIBUTES) + " ", *lines, ""]))
        parts = [f"{name} {part}" for name, part in zip(NAMES, PARTS, strict=True)]
        (folder / "list_eval_partition.txt").write_text("\n".join([*parts, ""]))
    return folder


@pytest.mark.parametrize("kaggle", [False, True])
def test_images_and_attributes_belong_together(tmp_path, kaggle):
    dataset = open_celeba(write_celeba(tmp_path, kaggle), "all", 178, 64)
    rows = np.arange(N)[:, None]
    assert np.array_equal(dataset.values(rows), FLAGS)
    images = dataset.inputs(rows)
    assert images.shape == (N, 3, 64, 64)
    assert np.allclose(images[:, 0].mean(dim=(1, 2)).numpy() * 255, 40 * np.arange(N), atol=3)
    assert dataset.space["_5_o_Clock_Shadow"].labels == ("no", "yes")
    test = open_celeba(tmp_path, "test", 178, 64)
    assert np.array_equal(test.values(np.arange(2)[:, None]), FLAGS[[3, 5]])
    assert test.size == 2


def test_the_middle_is_cut_out(tmp_path):
    # The upper 100 of 218 rows are not green: of the middle 178 rows 80, of the middle 98 rows 40.
    folder = write_celeba(tmp_path)
    for crop, share in ((178, 1 - 80 / 178), (98, 1 - 40 / 98)):
        green = open_celeba(folder, "all", crop, 98).inputs(np.array([[0]]))[0, 1]
        assert float(green.mean()) * 255 / 200 == pytest.approx(share, abs=0.02)


def test_attributes_are_observed_and_not_set(tmp_path):
    dataset = open_celeba(write_celeba(tmp_path), "all", 178, 64)
    assert not any(factor.settable for factor in dataset.space.factors)
    with pytest.raises(CausalVAEError) as caught:
        draw_pairs(dataset, factor="Smiling", samples=4, seed=0)
    assert caught.value.code == "CV206"
    assert "swap" in caught.value.remedy


def _edit(folder: Path, old: str, new: str, name: str = "list_attr_celeba.txt") -> None:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("change", "code", "found"),
    [
        (lambda folder: _edit(folder, "6\n", "7\n"), "CV231", "7 images"),
        (lambda folder: _edit(folder, "Smiling", "Laughing"), "CV231", "40 attributes"),
        (lambda folder: _edit(folder, "000003.jpg", "../000003.jpg"), "CV231", "../000003.jpg"),
        (lambda folder: _edit(folder, "000003.jpg  1", "000003.jpg  0"), "CV231", "000003.jpg 0"),
        (lambda folder: _edit(folder, "000002.jpg 0\n", "", "list_eval_partition.txt"), "CV231", "no 000002.jpg"),
        (
            lambda folder: _edit(folder, "000002.jpg 0\n", "000002.jpg 3\n", "list_eval_partition.txt"),
            "CV231",
            "another",
        ),
        (lambda folder: (folder / "list_attr_celeba.txt").unlink(), "CV230", "list_attr_celeba"),
        (lambda folder: (folder / "img_align_celeba" / "000001.jpg").unlink(), "CV230", "000001.jpg"),
        (
            lambda folder: (folder / "img_align_celeba" / "000001.jpg").write_bytes(b"no image"),
            "CV235",
            "not a JPEG file",
        ),
    ],
)
def test_another_layout_is_refused_with_what_was_found(tmp_path, change, code, found):
    folder = write_celeba(tmp_path)
    change(folder)
    with pytest.raises(CausalVAEError) as caught:
        open_celeba(folder, "train", 178, 64)
    assert caught.value.code == code
    assert found in caught.value.message
    assert ("list_attr_celeba" if code != "CV235" else "suffix") in caught.value.remedy


def test_images_that_were_not_aligned_are_refused(tmp_path):
    with pytest.raises(CausalVAEError, match="200 x 218"):
        open_celeba(write_celeba(tmp_path, size=(200, 218)), "all", 178, 64)
