"""Correction of misspelt keys: each is reported once, and its value is read under the suggested name.

Otherwise a misspelt `factors` would cause a finding for every edge that names a factor.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.schema import Spec, merge_variants
from causalvae.spec.shape_faults import explain_shape

_MOST_ROUNDS: Final = 5


@dataclass
class Reading:
    """A spec, read with its misspelt keys corrected.

    Parameters
    ----------
    model : type
        The class to validate with.
    written : dict
        The values as written.
    plain : dict
        The values with corrected keys, and the sections of variants merged with those of the spec.
    spec : BaseModel or None
        None if there are validation errors nevertheless.
    findings : list of Finding
        Validation errors, at paths of `plain`.
    typos : list of Finding
        The misspelt keys, at paths of `written`.
    """

    model: type[BaseModel]
    written: dict[str, Any]
    plain: dict[str, Any]
    spec: Any = None
    findings: list[Finding] = field(default_factory=list)
    typos: list[Finding] = field(default_factory=list)
    # Path of each corrected key and its original spelling, in the order of correction.
    _mended: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def is_analysis(self) -> bool:
        """Whether the spec is of an analysis."""
        return issubclass(self.model, Spec)

    def as_written(self, findings: list[Finding]) -> list[Finding]:
        """`typos` and `findings`, with paths of `plain` converted to those of `written`."""
        back = [replace(found, path=self._back(found.path)) for found in findings] if self._mended else findings
        return self._without_inherited([*self.typos, *back])

    def _without_inherited(self, findings: list[Finding]) -> list[Finding]:
        """The findings without duplicates on values that a variant inherits from the spec."""
        known = {(found.code, found.path) for found in findings}
        return [
            found
            for found in findings
            if found.path[:1] != ("variants",)
            or (found.code, found.path[2:]) not in known
            or _at(self.written, found.path) is not None
        ]

    def _back(self, path: Path) -> Path:
        for mended, written in reversed(self._mended):
            if path[: len(mended)] == mended:
                path = (*mended[:-1], written, *path[len(mended) :])
        return path

    def mend(self) -> bool:
        """Rename misspelt keys as suggested; return whether there were any."""
        found = False
        for finding in self.findings:
            owner = _at(self.plain, finding.path[:-1]) if finding.code == "CV020" and finding.suggestion else None
            written, meant = (finding.path[-1], finding.suggestion) if finding.path else ("", "")
            if not isinstance(owner, dict) or not isinstance(written, str) or written not in owner or meant in owner:
                continue
            self.typos.append(replace(finding, path=self._back(finding.path)))
            mended: Path = (*finding.path[:-1], meant)
            self.plain = _renamed(self.plain, finding.path, meant)
            self._mended.append((mended, written))
            found = True
        return found


def read_repaired(model: type[BaseModel], plain: dict[str, Any]) -> Reading:
    """Validate plain values with `model`, correcting misspelt keys.

    Parameters
    ----------
    model : type
    plain : dict
        The values as written; not changed.
    """
    reading = Reading(model, plain, plain)
    for _ in range(_MOST_ROUNDS):
        reading.spec, reading.findings = None, []
        reading.plain = merge_variants(reading.plain) if issubclass(model, Spec) else reading.plain
        try:
            reading.spec = model.model_validate(reading.plain)
        except ValidationError as error:
            reading.findings = explain_shape(error.errors(include_url=False), model, reading.plain)
        if not reading.mend():
            break
    return reading


def _at(value: Any, path: Path) -> Any:
    """The value at a path; None if there is none."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        else:
            inside = isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
            value = value[part] if inside else None
    return value


def _renamed(value: Any, path: Path, name: str) -> Any:
    """A copy of nested values with the key at `path` renamed to `name`, in the same position."""
    first, *rest = path
    if isinstance(value, list):
        return [_renamed(inner, tuple(rest), name) if index == first else inner for index, inner in enumerate(value)]
    if not rest:
        return {name if key == first else key: inner for key, inner in value.items()}
    return {key: _renamed(inner, tuple(rest), name) if key == first else inner for key, inner in value.items()}
