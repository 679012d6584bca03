"""Folders of wav files: every depth, several channels, other rates and lengths, tables of factors, and refusals."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from causalvae.data.dataset import open_dataset
from causalvae.data.files.sound_file import fit_sound
from causalvae.data.kinds.sounds import SoundsData
from causalvae.errors import CausalVAEError
from causalvae.spec import parse_spec
from tests.fuzz.damage import cut

RATE = 8000
WAVE = 0.8 * np.sin(2 * np.pi * 440 * np.arange(400) / RATE)


def wav(wave: np.ndarray, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    wavfile.write(buffer, rate, wave)
    return buffer.getvalue()


def wav24(wave: np.ndarray) -> bytes:
    """24 bits a sample, which scipy does not write."""
    body = b"".join(round(value * (2**23 - 1)).to_bytes(3, "little", signed=True) for value in wave)
    form = struct.pack("<HHIIHH", 1, 1, RATE, 3 * RATE, 3, 24)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def sounds(folder: Path, files: dict[str, bytes], **keys):
    (folder / "s").mkdir()
    for name, content in files.items():
        (folder / "s" / name).write_bytes(content)
    section = {"source": "sounds", "path": "s", "length": 400, "rate": RATE, **keys}
    return open_dataset(SoundsData.model_validate(section), folder)


def waves(dataset) -> np.ndarray:
    return 2 * dataset.inputs(np.arange(dataset.size)[:, None]).numpy()[:, 0] - 1


@pytest.mark.parametrize(
    ("content", "step"),
    [
        (wav(np.round(127 * WAVE + 128).astype(np.uint8)), 1 / 64),
        (wav(np.round(32767 * WAVE).astype(np.int16)), 1e-4),
        (wav24(WAVE), 1e-6),
        (wav(np.round((2**31 - 1) * WAVE).astype(np.int32)), 1e-6),
        (wav(WAVE.astype(np.float32)), 1e-6),
        (wav(WAVE), 1e-6),
        (wav(np.stack([WAVE + 0.1, WAVE - 0.1], axis=1)), 1e-6),
    ],
    ids=["8 bits", "16 bits", "24 bits", "32 bits", "float", "double", "stereo"],
)
def test_every_depth_gives_the_wave_that_was_written(tmp_path, content, step):
    dataset = sounds(tmp_path, {"a.wav": content})
    assert dataset.input_shape == (1, 400)
    assert np.abs(waves(dataset)[0] - WAVE).max() < step


def test_longer_sounds_are_cut_and_silence_follows_shorter_ones(tmp_path):
    found = waves(sounds(tmp_path, {"b.wav": wav(WAVE[:100]), "a.wav": wav(np.tile(WAVE, 2)), "._c.wav": b"?"}))
    assert found.shape == (2, 400)
    assert np.allclose(found[0], WAVE, atol=1e-6)
    assert np.allclose(found[1, :100], WAVE[:100], atol=1e-6)
    assert (found[1, 100:] == 0).all()


@pytest.mark.parametrize("rate", [16_000, 44_100, 4000])
def test_a_tone_of_another_rate_becomes_the_same_tone(tmp_path, rate):
    time = np.arange(rate) / rate
    found = waves(sounds(tmp_path, {"a.wav": wav(0.8 * np.sin(2 * np.pi * 440 * time), rate)}))[0]
    # The filter begins within the first 10 samples of the slower rate.
    assert np.abs(found[40:] - WAVE[40:]).max() < 0.01


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 8000), (8000, 44_100), (48_000, 16_000), (11_025, 8000)])
def test_the_beginning_is_resampled_as_the_whole_is(rate, wanted):
    from scipy.signal import resample_poly

    wave = np.random.default_rng(0).uniform(-0.3, 0.3, rate)
    common = np.gcd(rate, wanted)
    whole = resample_poly(wave, wanted // common, rate // common)
    assert np.allclose(fit_sound(wave, rate, wanted, 300), 0.5 + 0.5 * whole[:300], atol=1e-7)


def test_a_table_names_sounds_and_their_factors(tmp_path):
    (tmp_path / "t.csv").write_text("file,level\nb.wav,2\na.wav,1\n")
    files = {"a.wav": wav(WAVE / 2), "b.wav": wav(WAVE), "c.wav": wav(WAVE)}
    dataset = sounds(tmp_path, files, table="t.csv", factors=["level"])
    rows = dataset.space.levels_of(np.arange(2))
    louder = dataset.intervene(rows, "level", np.array([2.0, 2.0]), "hold")
    assert dataset.files_of(dataset.numbers_of(louder)) == ("b.wav", "b.wav")
    assert np.allclose(2 * dataset.inputs(louder).numpy()[:, 0] - 1, WAVE, atol=1e-6)


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({"a.txt": b""}, "CV231", "found none"),
        ({"a.wav": b"ID3 something else"}, "CV235", "it is not a wav file"),
        ({"a.wav": b""}, "CV235", "it is not a wav file"),
        ({"a.wav": wav(WAVE)[:-100]}, "CV235", "cut short"),
        ({"a.wav": wav(2 * WAVE)}, "CV235", "go up to 1.6"),
        ({"a.wav": wav(np.append(WAVE, np.nan))}, "CV235", "not all samples are finite"),
        ({"a.wav": wav(np.zeros(0, np.int16))}, "CV235", "holds no sound"),
        ({"a.wav": wav(WAVE), "b.wav": wav(WAVE)[:-100]}, "CV235", "b.wav"),
    ],
)
def test_other_files_are_refused(tmp_path, files, code, said):
    with pytest.raises(CausalVAEError) as caught:
        sounds(tmp_path, files)
    assert caught.value.code == code
    assert said in caught.value.message


def test_damaged_files_are_refused_or_give_samples_within_full_scale(tmp_path):
    whole = wav(np.round(32767 * WAVE).astype(np.int16))
    draw = random.Random(0)
    outcomes = set()
    for number in range(300):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 3)):
            damaged[draw.randrange(60)] = draw.randrange(256)
        content = bytes(damaged) if number % 3 else cut(whole, draw)
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            found = waves(sounds(folder, {"a.wav": content}))
        except CausalVAEError as error:
            assert error.code == "CV235"
            outcomes.add("refused")
        else:
            assert np.abs(found).max() <= 1
            outcomes.add("read")
    assert outcomes == {"refused", "read"}


def test_a_folder_of_sounds_is_recognised(tmp_path):
    assert SoundsData.recognise(tmp_path) is None
    (tmp_path / "a.wav").write_bytes(wav(WAVE))
    assert SoundsData.recognise(tmp_path) == {"length": 400, "rate": RATE}


def test_the_shape_and_the_rate_are_known_before_the_files_are_read():
    text = (
        "spec: causalvae/v1\nname: t\nmodel: {source: zoo, weights: w.safetensors}\n"
        "data: {source: sounds, path: s, length: 400, rate: 8000, table: t.csv, factors: [age]}\n"
        "graph: {factors: [age, mood], attributes: {high: {readout: pitch}, big: {readout: area}}}\n"
        "interventions: [{name: swap, input: {set: swap}}]\n"
    )
    _, diagnostics = parse_spec(text)
    assert [(found.code, "area" in found.message) for found in diagnostics] == [("CV038", True)]
