"""Checks of files, folders and modules, before they are opened."""

from __future__ import annotations

from pathlib import Path

from causalvae.spec.data_section import DataSection
from causalvae.spec.diagnostics import Finding
from causalvae.spec.diagnostics import Path as SpecPath
from causalvae.spec.draft import Draft
from causalvae.spec.model_section import ModelSection
from causalvae.spec.places import check_builtin, check_module, check_place


def check_files(draft: Draft) -> list[Finding]:
    """Findings on shipped weights."""
    return _check_shipped(draft.model)


def check_reads(
    folder: Path, model: ModelSection | None, data: DataSection | None, prefix: SpecPath = ()
) -> list[Finding]:
    """Findings on files, folders and modules that sections name: CV018 if one is missing or cannot be read.

    Parameters
    ----------
    folder : Path
        Relative paths start here.
    model, data : section or None
    prefix : tuple
        Path of the sections' parent in the spec.
    """
    findings = []
    sections: tuple[tuple[str, ModelSection | DataSection | None], ...] = (("model", model), ("data", data))
    for key, section in sections:
        if section is not None:
            for name, where in section.places.items():
                findings += check_place(folder, where, section.PLACES[name], (*prefix, key, name))
    for name, where in ({} if model is None else model.modules).items():
        findings += check_module(folder, where, (*prefix, "model", name))
    return findings


def _check_shipped(model: ModelSection | None) -> list[Finding]:
    return [
        finding
        for key, where in ({} if model is None else model.places).items()
        for finding in check_builtin(where, ("model", key))
    ]
