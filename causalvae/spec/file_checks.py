"""Faults of data sections whose samples lie in files, as far as they show before the files are opened."""

from __future__ import annotations

from pathlib import Path

from causalvae.spec.data_section import DataSection
from causalvae.spec.diagnostics import Finding, show_text
from causalvae.spec.diagnostics import Path as SpecPath
from causalvae.spec.draft import Draft
from causalvae.spec.draw_section import DrawSection
from causalvae.spec.file_section import CsvData, ImagesData, NpzData, TableFormat
from causalvae.spec.model_section import CheckpointModel, PythonModel, SourceSection
from causalvae.spec.places import check_builtin, check_module, check_place
from causalvae.spec.schema import Intervention


def check_files(draft: Draft) -> list[Finding]:
    """Findings on the user's own data, and on interventions that official data in files does not allow."""
    return [*_check_own(draft.data), *_check_settable(draft), *_check_shipped(draft.model)]


def check_reads(
    folder: Path, model: SourceSection | None, data: DataSection | None, prefix: SpecPath = ()
) -> list[Finding]:
    """Findings on files, folders and modules that sections name: CV018 where one is missing or cannot be read.

    Parameters
    ----------
    folder : Path
        Relative paths start here.
    model, data : section or None
    prefix : tuple
        Path of the sections' parent in the spec.
    """
    findings = []
    sections: tuple[tuple[str, SourceSection | DrawSection | None], ...] = (("model", model), ("data", data))
    for key, section in sections:
        if section is not None:
            for name, where in section.places.items():
                findings += check_place(folder, where, section.PLACES[name], (*prefix, key, name))
    if isinstance(model, PythonModel | CheckpointModel) and model.factory is not None:
        findings += check_module(folder, model.factory, (*prefix, "model", "factory"))
    return findings


def _check_shipped(model: SourceSection | None) -> list[Finding]:
    return [
        finding
        for key, where in ({} if model is None else model.places).items()
        for finding in check_builtin(where, ("model", key))
    ]


def _check_own(section: DataSection | None) -> list[Finding]:
    findings = []
    if isinstance(section, ImagesData) and section.factors and section.table is None:
        findings.append(
            Finding(
                "CV088",
                ("data", "factors"),
                "nothing tells the factors of these images",
                "Add `table: FILE.csv` with a column of file names and one for each factor.",
                on_key=True,
            )
        )
    if isinstance(section, TableFormat) and section.separator == section.decimal:
        findings.append(
            Finding(
                "CV088",
                ("data", "decimal"),
                f"{show_text(section.decimal)} cannot separate both entries and decimals",
                "Write the `separator` of the file, such as ';'.",
            )
        )
    columns = {section.column_of(name): name for name in section.factors} if isinstance(section, CsvData) else {}
    if isinstance(section, CsvData):
        findings += [
            Finding(
                "CV088",
                ("data", "inputs", index),
                f"the column {show_text(column)} is the factor '{columns[column]}' as well",
                "A network that sees a factor need not find it: delete the column from one of the two.",
            )
            for index, column in enumerate(section.inputs)
            if column in columns
        ]
    if isinstance(section, CsvData | NpzData | ImagesData) and isinstance(section.scale, tuple):
        low, high = section.scale
        if low >= high:
            findings.append(
                Finding(
                    "CV089",
                    ("data", "scale"),
                    f"nothing lies between {low:.6g} and {high:.6g}",
                    "Write [LOW, HIGH]: what becomes 0, and what becomes 1.",
                )
            )
    return findings


def _check_settable(draft: Draft) -> list[Finding]:
    findings = []
    for named in draft.interventions or ():
        section = named.section.input if isinstance(named.section, Intervention) else None
        known = draft.source.factor(section.factor) if section is not None and section.factor and draft.source else None
        if known is not None and not known.settable:
            findings.append(
                Finding(
                    "CV087",
                    ("interventions", named.index, "input", "factor"),
                    f"the data does not tell what a sample would have been under another '{known.name}'",
                    "Write `set: swap` and no factor: it puts another sample in the place of each.",
                )
            )
    return findings
