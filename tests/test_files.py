"""Files are written whole, beside other writers, never through a link, and are read only as they were written."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from causalvae.engine.measurements import write_table
from causalvae.engine.tables import FileTable, read_group, read_table
from causalvae.errors import CausalVAEError
from causalvae.files import (
    UNSEALED,
    DamagedFileError,
    append_seal,
    json_text,
    make_folder,
    read_json,
    read_sealed,
    remove_stale,
    seal,
    write_file,
    write_json,
    write_once,
)
from causalvae.models.opened import read_config
from causalvae.report import load_results
from causalvae.spec.loader import read_spec
from causalvae.training.log import read_log


def test_json_comes_back_and_is_plain_json(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None], "b": {"c": "text\u202e", UNSEALED: UNSEALED}}
    write_json(value, tmp_path / "a.json")
    assert read_json(tmp_path / "a.json") == value
    plain = json.loads((tmp_path / "a.json").read_text())
    assert plain.pop("checksum").startswith("causalvae-sha256:")
    assert plain == value
    assert json_text(value) == json_text(value)


@pytest.mark.parametrize("make", [lambda data: seal(data + UNSEALED.encode() + data), append_seal])
def test_every_flipped_bit_is_noticed(make: object, tmp_path: Path) -> None:
    whole = make(b"some content")  # type: ignore[operator]
    path = tmp_path / "file"
    path.write_bytes(whole)
    assert read_sealed(path) == whole
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError):
            read_sealed(path)


def test_every_flipped_bit_of_a_table_is_noticed(tmp_path: Path) -> None:
    frame = pd.DataFrame({"arm": ["a", "a"], "pair": [0, 1], "live": [True, False], "area": [0.5, 1.5]})
    path = tmp_path / "table.parquet"
    write_table(frame, path)
    pd.testing.assert_frame_equal(read_table(path), frame)
    pd.testing.assert_frame_equal(pd.read_parquet(path), frame)
    whole = path.read_bytes()
    # A prime number of bits apart: every field of the format is met, in every bit of a byte.
    for bit in range(0, 8 * len(whole), 13):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(CausalVAEError) as caught:
            read_table(path)
        assert caught.value.code == "CV406"
        assert str(path) in caught.value.message


def test_a_table_that_is_damaged_after_it_was_opened_gives_no_wrong_number(tmp_path: Path) -> None:
    values = np.arange(64) / 7
    frame = pd.DataFrame({"arm": "a", "pair": np.arange(64), "live": True, "area": values})
    path = tmp_path / "table.parquet"
    write_table(frame, path)
    table, whole = FileTable([path]), path.read_bytes()
    (file,) = table._files
    caught = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        try:
            found = read_group(path, file.metadata, 0, "area")
        except CausalVAEError as error:
            assert error.code == "CV406"
            caught += 1
        else:
            assert np.array_equal(found, values)
    assert caught > 64


def test_a_file_has_the_permissions_of_the_users_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "a", "x")
        write_once(tmp_path / "b", "x")
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"} == {0o640}


def test_a_link_is_replaced_and_what_it_leads_to_is_left(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "out").mkdir()
    for name, write in (("a", write_file), ("b", write_once)):
        (tmp_path / "out" / name).symlink_to(victim)
        write(tmp_path / "out" / name, "theirs")
    assert victim.read_text() == "mine"
    assert (tmp_path / "out" / "a").read_text() == "theirs"
    assert not (tmp_path / "out" / "a").is_symlink()


@pytest.mark.parametrize("linked", ["out", "out/name", "out/name/tables"])
def test_no_folder_is_entered_through_a_link(linked: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / linked).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / linked).symlink_to(elsewhere)
    with pytest.raises(CausalVAEError) as caught:
        make_folder(tmp_path / "out" / "name" / "tables", below=tmp_path / "out")
    assert caught.value.code == "CV414"
    assert linked in caught.value.message
    with pytest.raises(CausalVAEError, match="CV414"):
        write_file(tmp_path / linked / "file", "x")
    assert not list(elsewhere.iterdir())


def test_what_lies_above_the_named_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    made = make_folder(tmp_path / "home" / "out" / "name", below=tmp_path / "home" / "out")
    write_file(made / "file", "x")
    assert (tmp_path / "disk" / "out" / "name" / "file").read_text() == "x"


def test_the_first_of_several_writers_wins(tmp_path: Path) -> None:
    assert write_once(tmp_path / "a", "first")
    assert not write_once(tmp_path / "a", "second")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "first"


_HOLD = """
import sys
from pathlib import Path
from causalvae.files import _partial
with _partial(Path(sys.argv[1]), "content"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_living_process_keeps_its_partial_file_and_a_killed_one_loses_it(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "file")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    (tmp_path / "of an older version.partial").write_text("cut o")
    remove_stale(tmp_path)
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "content"
    process.kill()
    process.communicate()
    remove_stale(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "a", "old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        write_file(tmp_path / "a", "new")
    assert caught.value.filename == str(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_sealed_file_of_torch_is_still_one(tmp_path: Path) -> None:
    torch.save({"a": torch.arange(3)}, tmp_path / "plain.pt")
    (tmp_path / "sealed.pt").write_bytes(append_seal((tmp_path / "plain.pt").read_bytes()))
    assert torch.load(tmp_path / "sealed.pt", weights_only=True)["a"].tolist() == [0, 1, 2]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    for name in ("spec.yaml", "results.json", "log.csv", "config.json", ".a.0.partial"):
        os.mkfifo(tmp_path / name)
    spec, faults = read_spec(tmp_path / "spec.yaml")
    assert spec is None and [fault.code for fault in faults] == ["CV001"] and "device or pipe" in faults[0].message
    with pytest.raises(CausalVAEError, match="device or pipe") as refused:
        load_results(tmp_path)
    assert refused.value.code == "CV451"
    with pytest.raises(CausalVAEError, match="has no config"):
        read_config(tmp_path / "config.json", "here", "CV132", "a folder")
    assert read_log(tmp_path) == []
    remove_stale(tmp_path)
    assert (tmp_path / ".a.0.partial").exists()


@pytest.mark.parametrize("name", ["/".join(["d" * 40] * 110), "a/b/" + "c" * 300])
def test_no_folder_is_made_on_the_way_to_a_path_that_is_too_long(name: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        make_folder(tmp_path / name, below=tmp_path / name)
    assert list(tmp_path.iterdir()) == []
