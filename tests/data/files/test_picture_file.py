"""Images as programs write them: depths, modes, orientation, transparency, wrong suffixes, damage, bombs."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from causalvae.data.dataset import open_dataset
from causalvae.data.files.picture_file import PictureForm, read_picture
from causalvae.data.kinds.images import ImagesData
from causalvae.errors import CausalVAEError

GREY = PictureForm(8, colour=False)
COLOUR = PictureForm(8)
SIDE = 16


def images(folder: Path, **keys):
    section = {"source": "images", "path": ".", "size": 8, **keys}
    return open_dataset(ImagesData.model_validate(section), folder)


def refusal(path: Path, form: PictureForm = COLOUR) -> CausalVAEError:
    with pytest.raises(CausalVAEError) as caught:
        read_picture(path, form, 4)
    assert caught.value.code == "CV235"
    assert path.name in caught.value.message
    assert caught.value.place == str(path)
    assert caught.value.remedy
    return caught.value


def level(kind: str, share: float) -> np.ndarray:
    white = {"uint8": 255, "uint16": 65535, "int32": 65535, "float32": 1}[kind]
    value = share * white
    return np.full((SIDE, SIDE), value if kind == "float32" else round(value), kind)


@pytest.mark.parametrize("share", [0.0, 0.11, 0.7, 1.0])
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *(("uint8", suffix) for suffix in ("png", "tif", "bmp", "gif", "jpg", "webp")),
        ("uint16", "png"),
        ("uint16", "tif"),
        ("int32", "tif"),
        ("float32", "tif"),
    ],
)
@pytest.mark.parametrize("form", [GREY, COLOUR])
def test_grey_of_every_depth_is_scaled_by_its_own_white(tmp_path, kind, suffix, share, form):
    path = tmp_path / f"a.{suffix.upper()}"
    Image.fromarray(level(kind, share)).save(path)
    found = read_picture(path, form, 0)
    assert found.shape == (8, 8, 3 if form.colour else 1)
    assert found.dtype == np.float32
    # JPEG and WebP lose something; 8 bits round to the next of 255 levels.
    exact = {"jpg": 0.02, "webp": 0.02}.get(suffix, 0.5 / 255 if kind == "uint8" else 1e-5)
    assert found == pytest.approx(np.full(found.shape, share), abs=exact)


def rgb16_png(path: Path, values: np.ndarray) -> None:
    """A colour PNG of 16 bits a channel, which Pillow cannot write: signature, header, one packed block, end."""
    height, width, _ = values.shape

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">2I5B", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def rgb16_tif(path: Path, values: np.ndarray) -> None:
    """The same as an uncompressed TIFF, little-endian."""
    height, width, _ = values.shape
    data = values.astype("<u2").tobytes()
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8 + len(data)), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data)), (284, 3, 1, 1)]
    depth = struct.pack("<3H", 16, 16, 16)
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<2H2I", *entry) for entry in entries)
    path.write_bytes(
        b"II*\0" + struct.pack("<I", 8 + len(data) + len(depth)) + data + depth + directory + struct.pack("<I", 0)
    )


@pytest.mark.parametrize("write", [rgb16_png, rgb16_tif])
def test_colours_of_16_bits_are_scaled_by_their_own_white(tmp_path, write):
    path = tmp_path / ("a.png" if write is rgb16_png else "a.tif")
    write(path, np.full((SIDE, SIDE, 3), (45875, 6553, 65535)))
    assert read_picture(path, COLOUR, 0).mean(axis=(0, 1)) == pytest.approx([0.7, 0.1, 1.0], abs=1 / 255)


def test_depths_and_sizes_may_be_mixed_in_a_folder(tmp_path):
    for number, (kind, side) in enumerate([("uint8", 8), ("uint16", 5), ("float32", 30), ("int32", 9)]):
        suffix = "png" if "uint" in kind else "tif"
        Image.fromarray(np.resize(level(kind, 0.7), (side, side + number))).save(tmp_path / f"{number}.{suffix}")
    Image.new("CMYK", (20, 9), (0, 0, 0, 77)).save(tmp_path / "4.jpg", quality=100)
    Image.new("1", (9, 9), 1).save(tmp_path / "5.png")
    Image.new("P", (9, 9), 0).save(tmp_path / "6.png")
    found = images(tmp_path).inputs(np.arange(7)[:, None])
    assert found.shape == (7, 3, 8, 8)
    assert found.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.7, 0.7, 0.7, 0.7, 0.7, 1, 0], abs=0.01)


def arrow() -> np.ndarray:
    """A picture that no turn or flip leaves as it is: bright at its top left, less so at its top right."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[:8, :8], picture[:8, 8:] = 240, 120
    return picture


STORED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).T,
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_pictures_are_turned_as_their_exif_data_says(tmp_path, orientation, suffix):
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](arrow()))).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a.{suffix}", exif=exif, quality=100)
    found = read_picture(tmp_path / f"a.{suffix}", GREY, 0)[:, :, 0]
    assert found[1, 1] == pytest.approx(240 / 255, abs=0.04)
    assert found[1, 6] == pytest.approx(120 / 255, abs=0.04)
    assert found[6].max() < 0.04


def transparent(mode: str, path: Path) -> None:
    """Half opaque, grey 51; half clear, with another grey beneath."""
    clear = np.arange(SIDE) >= 8
    grey = np.where(clear, 204, 51).astype(np.uint8)
    alpha = np.where(clear, 0, 255).astype(np.uint8)
    plane, opaque = (np.broadcast_to(row, (SIDE, SIDE)).copy() for row in (grey, alpha))
    if mode == "RGBA":
        Image.fromarray(np.stack([plane] * 3 + [opaque], axis=-1)).save(path)
    elif mode == "LA":
        Image.fromarray(np.stack([plane, opaque], axis=-1)).save(path)
    elif mode == "L":
        Image.fromarray(plane).save(path, transparency=204)
    elif mode == "RGB":
        Image.fromarray(np.stack([plane] * 3, axis=-1)).save(path, transparency=(204, 204, 204))
    elif mode == "I;16":
        Image.fromarray(plane.astype(np.uint16) * 257).save(path, transparency=204 * 257)
    else:
        palette = Image.fromarray((plane == 204).astype(np.uint8)).convert("P")
        palette.putpalette([51] * 3 + [204] * 3)
        palette.save(path, transparency=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "RGB", "P", "I;16"])
@pytest.mark.parametrize(("background", "shade"), [("white", 1.0), ("black", 0.0)])
@pytest.mark.parametrize("colour", [True, False])
def test_transparent_pixels_are_laid_on_the_background(tmp_path, mode, background, shade, colour):
    transparent(mode, tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", PictureForm(8, colour, background), 0)
    assert found[:, :4] == pytest.approx(np.full((8, 4, 3 if colour else 1), 0.2), abs=1e-3)
    assert found[:, 4:] == pytest.approx(np.full((8, 4, 3 if colour else 1), shade), abs=1e-3)


def test_a_palette_of_a_gif_with_a_transparent_colour_is_laid_on_the_background(tmp_path):
    palette = Image.fromarray(np.tile(np.arange(SIDE, dtype=np.uint8) // 8, (SIDE, 1))).convert("P")
    palette.putpalette([51] * 3 + [204] * 3)
    palette.save(tmp_path / "a.gif", transparency=1)
    assert read_picture(tmp_path / "a.gif", GREY, 0).mean() == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize("shape", [(12, 41), (41, 12), (13, 13), (3, 200), (200, 3), (1, 70)])
@pytest.mark.parametrize("size", [5, 12, 30])
def test_the_square_is_that_of_the_whole_picture(tmp_path, shape: tuple[int, int], size: int):
    draw = np.random.default_rng(0)
    for kind, suffix, white in (("uint16", "tif", 65535), ("uint8", "png", 255), ("float32", "tif", 1)):
        values = (draw.random(shape) * white).astype(kind)
        Image.fromarray(values).save(tmp_path / f"x.{suffix}")
        whole = Image.fromarray(values if kind == "uint8" else values.astype(np.float32) / white)
        side, (height, width) = min(shape), shape
        left, top = (width - side) // 2, (height - side) // 2
        how = Image.Resampling.BOX if size <= side else Image.Resampling.BILINEAR
        expected = np.asarray(whole.resize((size, size), how, (left, top, left + side, top + side)), np.float32)
        # Pillow rounds between two passes over bytes, whose order depends on the shape.
        atol = 1.01 / 255 if max(shape) > 64 * side and kind == "uint8" else 1e-6
        found = read_picture(tmp_path / f"x.{suffix}", PictureForm(size, colour=False), 0)[..., 0]
        np.testing.assert_allclose(found, expected / (255 if kind == "uint8" else 1), atol=atol)


def test_values_outside_of_the_square_are_checked_too(tmp_path):
    values = np.full((4, 40), 0.5, np.float32)
    values[0, 0] = 7
    Image.fromarray(values).save(tmp_path / "x.tif")
    assert "beyond 0 (black) and 1 (white)" in refusal(tmp_path / "x.tif").message


def test_a_declared_scale_is_followed(tmp_path):
    Image.fromarray(np.full((SIDE, SIDE), 2867, np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(np.full((SIDE, SIDE), 819.0, np.float32)).save(tmp_path / "b.tif")
    found = images(tmp_path, scale=[0, 4095], colour=False).inputs(np.arange(2)[:, None])
    assert found.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.7, 0.2], abs=1e-3)
    Image.fromarray(np.full((SIDE, SIDE, 3), 51, np.uint8)).save(tmp_path / "c.png")
    assert read_picture(tmp_path / "c.png", PictureForm(8, scale=(0, 102)), 0).mean() == pytest.approx(0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("scale", [None, (-1.0, 1.0)])
def test_floats_that_are_not_finite_are_refused_with_sample_and_position(tmp_path, value, scale):
    picture = level("float32", 0.5)
    picture[3, 5] = value
    Image.fromarray(picture).save(tmp_path / "a.tif")
    assert (
        f"sample 4 is {value:g} in row 3, column 5" in refusal(tmp_path / "a.tif", PictureForm(8, scale=scale)).message
    )


@pytest.mark.parametrize(("low", "high"), [(0, 4095), (-0.5, 0.5), (0, 1.01)])
def test_floats_beyond_white_need_a_scale(tmp_path, low, high):
    picture = np.linspace(low, high, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    Image.fromarray(picture).save(tmp_path / "a.tif")
    error = refusal(tmp_path / "a.tif")
    assert f"from {low:g} to {high:g}" in error.message
    assert "scale: [LOW, HIGH]" in error.remedy
    assert read_picture(tmp_path / "a.tif", PictureForm(8, scale=(low, high)), 0).mean() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "gif", "webp"])
def test_a_file_of_another_format_than_its_suffix_is_refused(tmp_path, suffix):
    written = "PNG" if suffix != "png" else "JPEG"
    Image.new("RGB", (9, 9)).save(tmp_path / f"a.{suffix}", written)
    error = refusal(tmp_path / f"a.{suffix}")
    assert (
        f"it is not a {'JPEG' if suffix == 'jpg' else 'TIFF' if suffix == 'tif' else suffix.upper()} file"
        in error.message
    )
    with pytest.raises(CausalVAEError) as caught:
        images(tmp_path)
    assert caught.value.place.endswith(f"a.{suffix}")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "gif", "webp"])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_files_that_are_cut_short_are_refused(tmp_path, suffix, kept):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    refusal(path)


def test_flipped_bytes_end_in_a_picture_or_in_a_refusal(tmp_path):
    rng = np.random.default_rng(0)
    for suffix in ("png", "jpg", "tif", "gif", "webp", "bmp"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(40):
            damaged = whole.copy()
            at = rng.integers(0, len(damaged), 3)
            damaged[at] = rng.integers(0, 256, 3)
            path.write_bytes(damaged.tobytes())
            try:
                assert np.isfinite(read_picture(path, COLOUR, 0)).all()
            except CausalVAEError as error:
                assert error.code == "CV235"


def test_films_and_stacks_are_refused(tmp_path):
    frames = [Image.new("RGB", (9, 9), (shade, 0, 0)) for shade in (10, 100, 200)]
    for suffix in ("gif", "tif", "webp", "png"):
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
        assert "3 pictures" in refusal(tmp_path / f"a.{suffix}").message


def test_a_photograph_with_a_preview_is_read(tmp_path):
    Image.new("RGB", (9, 9), (255, 255, 255)).save(
        tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))]
    )
    assert read_picture(tmp_path / "a.jpg", COLOUR, 0).mean() == 1


@pytest.mark.parametrize(("width", "height"), [(10_000, 9_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_refused_before_they_are_unpacked(tmp_path, width, height):
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")))
    assert "pixels" in refusal(tmp_path / "a.png").message


def test_names_of_other_programs_are_left_out(tmp_path):
    Image.new("L", (9, 9), 255).save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"Mac OS X")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    assert images(tmp_path).size == 1


def test_file_names_that_look_like_numbers_stay_text(tmp_path):
    for name in ("001.png", "1.png"):
        Image.new("L", (9, 9), 255 if name == "1.png" else 0).save(tmp_path / name)
    (tmp_path / "t.csv").write_text("file;dose\n001.png;1,5\n1.png;2,5\n")
    dataset = images(tmp_path, table="t.csv", separator=";", decimal=",", factors=["dose"])
    assert dataset.space["dose"].values == (1.5, 2.5)
    assert dataset.inputs(np.array([[0], [1]])).mean(dim=(1, 2, 3)).tolist() == [0, 1]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_what_the_system_refuses_is_not_called_a_broken_image(tmp_path: Path, monkeypatch, number: int) -> None:
    def refuse(file, *_, **__):
        raise OSError(number, os.strerror(number), str(file))

    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(CausalVAEError) as caught:
        open_dataset(ImagesData.model_validate({"source": "images", "path": "."}), tmp_path)
    assert caught.value.code == "CV410"
    assert "a.png" in caught.value.place
    assert os.strerror(number) in caught.value.message
