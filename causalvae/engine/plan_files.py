"""The files that say which plan the tables of a folder answer: ``plan.json``, and ``arms.parquet`` with all arms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from causalvae.digest import plain_fields
from causalvae.engine.tables import GROUP_ROWS
from causalvae.errors import CausalVAEError
from causalvae.files import UNSEALED, DamagedFileError, read_json, stream_file, write_json
from causalvae.plan.types import Arm, Plan

# Of a plan, what grows with its arms: the table of arms has it, and effects have the uses.
_MANY = ("arms", "uses")
_ARMS = pa.schema(
    [
        ("arm", pa.string()),
        ("cohort", pa.string()),
        ("side", pa.string()),
        ("pairs", pa.int64()),
        ("patches", pa.string()),
    ]
)


def claim_folder(folder: Path, plan: Plan, environment: Mapping[str, str]) -> None:
    """Mark `folder` as this plan's.

    Parameters
    ----------
    folder : Path
    plan : Plan
    environment : mapping of str to str
        What, besides the plan, decides the numbers in a table.

    Raises
    ------
    CausalVAEError
        CV402 if the folder is another plan's, or was filled in another environment.
    """
    marker = folder / "plan.json"
    if not marker.exists():
        content = {field.name: getattr(plan, field.name) for field in fields(plan) if field.name not in _MANY}
        numbers = {name: len(getattr(plan, name)) for name in _MANY}
        write_json(
            {"digest": plan.tables_digest, "environment": environment, **plain_fields(content), **numbers}, marker
        )
        return
    try:
        held = read_json(marker)
    except DamagedFileError as error:
        raise _other_tables(folder, f"holds a damaged plan.json ({error.reason})") from error
    if held.get("digest") != plan.tables_digest:
        raise _other_tables(folder, "holds the tables of another plan")
    differing = [key for key, value in environment.items() if held.get("environment", {}).get(key) != value]
    if differing:
        raise _other_tables(folder, f"holds tables made with another {' and another '.join(differing)}")


def _other_tables(folder: Path, fault: str) -> CausalVAEError:
    return CausalVAEError("CV402", f"{folder} {fault}.", "Name another --out folder, or delete this one.", str(folder))


def write_arms(arms: Sequence[Arm], path: Path) -> None:
    """Write one row for each arm: its id, cohort, side and pairs, and its patches as JSON."""
    with (
        stream_file(path) as file,
        pq.ParquetWriter(file, _ARMS, compression="zstd", write_page_checksum=True) as writer,
    ):
        for first in range(0, len(arms), GROUP_ROWS):
            some = arms[first : first + GROUP_ROWS]
            columns = [
                [arm.id for arm in some],
                [arm.cohort for arm in some],
                [arm.side for arm in some],
                [arm.pairs for arm in some],
                [json.dumps(plain_fields(arm.patches)) for arm in some],
            ]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, _ARMS, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=_ARMS))
        writer.add_key_value_metadata({"checksum": UNSEALED})
