"""From a YAML file to a checked spec or to its diagnostics."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from causalvae.errors import CausalVAEError
from causalvae.files import is_special, read_json
from causalvae.spec.assembly import Assembled, assemble
from causalvae.spec.checks import check_draft
from causalvae.spec.data_checks import check_data
from causalvae.spec.diagnostics import Diagnostic, Finding, Path, SpecError, few_comparisons
from causalvae.spec.draft import draft_plain, draft_spec
from causalvae.spec.file_checks import check_reads
from causalvae.spec.origins import Origins
from causalvae.spec.places import base_folder, check_place
from causalvae.spec.placing import fault_at, place_finding, place_text
from causalvae.spec.repair import Reading, read_repaired
from causalvae.spec.schema import Spec
from causalvae.spec.shape_faults import explain_levels, explain_shape, wrong_kind
from causalvae.spec.yaml_tree import (
    MAX_BYTES,
    Node,
    Source,
    TextFault,
    compose,
    decode,
    normalise,
    split_lines,
    too_large,
)

if TYPE_CHECKING:
    from causalvae.spec.study import StudySpec
    from causalvae.spec.training import TrainSpec

MAX_DIAGNOSTICS = 200
KINDS: Final = ("causalvae/v1", "causalvae/train-v1", "causalvae/study-v1")
_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class Point(Generic[_M]):
    """One run of a grid: its values as a label, its spec, and where the spec's values come from."""

    label: str
    spec: _M
    origins: Origins


@dataclass(frozen=True)
class Read(Generic[_M]):
    """What a file gives.

    Parameters
    ----------
    spec : BaseModel or None
        None if any diagnostic is an error.
    diagnostics : tuple of Diagnostic
        In the order of the text.
    origins : Origins or None
        Where the values come from; None where there is no spec.
    points : tuple of Point
        Of the spec's grid; empty where it has none.
    """

    spec: _M | None
    diagnostics: tuple[Diagnostic, ...]
    origins: Origins | None = None
    points: tuple[Point[_M], ...] = ()


@dataclass(frozen=True)
class OpenedSpec:
    """A spec without errors.

    Parameters
    ----------
    spec : Spec
    folder : Path
        Where relative paths start.
    origins : Origins
    points : tuple of Point
    """

    spec: Spec
    folder: FilePath
    origins: Origins
    points: tuple[Point[Spec], ...]


def parse_spec(text: str | bytes, file: str | FilePath = "<text>") -> tuple[Spec | None, tuple[Diagnostic, ...]]:
    """Read and check a spec.

    Parameters
    ----------
    text : str or bytes
        YAML 1.2.
    file : str or path
        File name for diagnostics.

    Returns
    -------
    spec : Spec or None
        None if any diagnostic is an error.
    diagnostics : tuple of Diagnostic
        All faults, in the order of the text.
    """
    read = _parse(Spec, text, str(file))
    return read.spec, read.diagnostics


def parse_train_spec(
    text: str | bytes, file: str | FilePath = "<text>"
) -> tuple[TrainSpec | None, tuple[Diagnostic, ...]]:
    """Read and check a training spec; see `parse_spec`."""
    from causalvae.spec.training import TrainSpec

    read = _parse(TrainSpec, text, str(file))
    return read.spec, read.diagnostics


def read_spec(
    path: str | os.PathLike[str], files: bool = False, settings: Sequence[str] = ()
) -> tuple[Spec | None, tuple[Diagnostic, ...]]:
    """Read and check a spec file; diagnostics include warnings and a file that cannot be read.

    Parameters
    ----------
    path : str or path
    files : bool
        Also check that the files, folders and modules that the spec names exist and can be read.
    settings : sequence of str
        Values to set, each as ``KEY=VALUE``.
    """
    read = _read(Spec, path, files, settings)
    return read.spec, read.diagnostics


def read_any_spec(
    path: str | os.PathLike[str], settings: Sequence[str] = ()
) -> tuple[BaseModel | None, tuple[Diagnostic, ...]]:
    """Read and check an analysis, training or study spec, depending on its `spec` key, and the files it names.

    Returns
    -------
    spec : Spec, TrainSpec, StudySpec or None
        None if any diagnostic is an error.
    diagnostics : tuple of Diagnostic
    """
    read = read_whole(path, settings)
    return read.spec, read.diagnostics


def read_whole(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> Read[Any]:
    """As `read_any_spec`, with the origins of values and the points of a grid."""
    return _read(None, path, files=True, settings=settings)


def load_spec(path: str | os.PathLike[str], files: bool = False, settings: Sequence[str] = ()) -> Spec:
    """Read a spec file.

    Parameters
    ----------
    path : str or path
    files : bool
        Also check that the files, folders and modules that the spec names exist and can be read.
    settings : sequence of str
        Values to set, each as ``KEY=VALUE``, such as ``data.samples=64``.

    Raises
    ------
    SpecError
        If there is an error. `read_spec` returns warnings as well.

    Examples
    --------
    >>> import causalvae
    >>> spec = causalvae.load_spec("specs/compiled_or.yaml")
    >>> spec.hypotheses[0].name
    'both-together'
    """
    return _load(Spec, path, files, settings)


def open_spec(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> tuple[Spec, FilePath]:
    """Read a spec file and check the files it names; also returns the folder where relative paths start.

    Raises
    ------
    SpecError
        If there is an error, such as a missing file.
    """
    opened = open_whole(path, settings)
    return opened.spec, opened.folder


def open_whole(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> OpenedSpec:
    """As `open_spec`, with the origins of values and the points of a grid."""
    read = _read(Spec, path, files=True, settings=settings)
    if read.spec is None or read.origins is None:
        raise SpecError(read.diagnostics)
    folder = base_folder(FilePath(path).parent, read.spec.base)
    return OpenedSpec(read.spec, folder, read.origins, read.points)


def load_train_spec(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> TrainSpec:
    """Read a training spec file.

    Raises
    ------
    SpecError
        If there is an error.
    """
    # Imported on demand, as in `load_study_spec`: building the classes takes a tenth of the time of validating a spec.
    from causalvae.spec.training import TrainSpec

    return _load(TrainSpec, path, settings=settings)


def load_study_spec(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> StudySpec:
    """Read a study spec file.

    Raises
    ------
    SpecError
        If there is an error.
    """
    from causalvae.spec.study import StudySpec

    return _load(StudySpec, path, settings=settings)


def _load(model: type[_M], path: str | os.PathLike[str], files: bool = False, settings: Sequence[str] = ()) -> _M:
    read = _read(model, path, files, settings)
    spec: _M | None = read.spec
    if spec is None:
        raise SpecError(read.diagnostics)
    return spec


def _is_as_written(path: FilePath, data: bytes) -> bool:
    """False if the manifest of a run in the same folder has another checksum for the file."""
    manifest = path.with_name("manifest.json")
    if not manifest.is_file():
        return True
    try:
        recorded = read_json(manifest)["files"][path.name]
    except (CausalVAEError, OSError, LookupError, TypeError):
        # The manifest of another program, or one without this file.
        return True
    return bool(hashlib.sha256(data).hexdigest() == recorded)


def _read(
    model: type[Any] | None, path: str | os.PathLike[str], files: bool = False, settings: Sequence[str] = ()
) -> Read[Any]:
    name = os.fspath(path)
    try:
        if is_special(FilePath(path)):
            raise OSError(errno.EINVAL, "it is a device or pipe")
        with FilePath(path).open("rb") as file:
            # One byte more than allowed shows that the file is too large.
            data = file.read(MAX_BYTES + 1)
            size = max(os.fstat(file.fileno()).st_size, len(data))
    except (OSError, ValueError) as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else str(error)
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            reason = (error.strerror or "the system refuses").lower()
        fault = Diagnostic(
            "CV001",
            "error",
            f"the file cannot be read: {reason}",
            name,
            1,
            1,
            expected="Give the path of a spec file; `causalvae init` writes a starter.",
        )
        return Read(None, (fault,))
    if not _is_as_written(FilePath(path), data):
        fault = Diagnostic(
            "CV019",
            "error",
            "the file is not what the run wrote: manifest.json in the same folder has another checksum",
            name,
            1,
            1,
            expected="Run the original spec again to restore it; to change it, copy it to another folder.",
        )
        return Read(None, (fault,))
    if size > MAX_BYTES:
        return Read(None, (place_text(too_large(size), Source(name)),))
    return _parse(model, data, name, FilePath(path), files, settings)


def _parse(
    model: type[Any] | None,
    text: str | bytes,
    name: str,
    path: FilePath | None = None,
    files: bool = False,
    settings: Sequence[str] = (),
) -> Read[Any]:
    """Read and check text that was read from `path`, which diagnostics call `name`."""
    undecodable: TextFault | None = None
    if isinstance(text, bytes):
        text, undecodable = decode(text)
    text = normalise(text)
    source = Source(name, tuple(split_lines(text)))
    if undecodable is not None:
        return Read(None, (place_text(undecodable, source),))
    root, text_faults = compose(text, source)
    diagnostics = [place_text(fault, source) for fault in text_faults]
    if root is not None and root.kind != "mapping":
        fault = TextFault(
            "CV013",
            root.line,
            root.column,
            f"the file holds a {'list' if root.kind == 'sequence' else 'single value'} at the top, not a mapping",
            "Begin with `spec: causalvae/v1` and write `key: value` lines.",
        )
        return Read(None, _settle([*diagnostics, place_text(fault, source)], name))
    if root is None:
        return Read(None, _settle(diagnostics, name))
    whole = assemble(root, path, settings)
    diagnostics += whole.faults
    if whole.broken:
        return Read(None, _settle(diagnostics, name))
    folder = path.parent if path is not None and files else None
    return _judge(model, whole, name, folder, diagnostics)


def _judge(
    model: type[Any] | None, whole: Assembled, name: str, folder: FilePath | None, diagnostics: list[Diagnostic]
) -> Read[Any]:
    """Check an assembled spec and each point of its grid."""
    # A value at a fault of the text was not read, so findings on it are omitted.
    broken = {(fault.file, fault.line, fault.column) for fault in diagnostics}
    # A variable may be a part of a value.
    unknown = [fault for fault in diagnostics if fault.code == "CV044"]

    def holds_unknown(found: Diagnostic) -> bool:
        end = found.column + found.length
        return any((f.file, f.line) == (found.file, found.line) and found.column <= f.column < end for f in unknown)

    def check(root: Node) -> tuple[Any, list[Diagnostic]]:
        with few_comparisons():
            spec, findings = _validate(model, root.to_plain(), folder)
        placed = (place_finding(finding, root) for finding in findings)
        kept = [found for found in placed if (found.file, found.line, found.column) not in broken]
        return spec, [found for found in kept if not holds_unknown(found)]

    spec, found = check(whole.root)
    points = []
    if whole.points and spec is not None and not isinstance(spec, Spec):
        node = whole.points[0].root
        said = "only the specs of analyses may have a grid"
        diagnostics.append(fault_at(node, "CV046", said, "For several networks, write a study."))
    else:
        known = {replace(fault, field="") for fault in found}
        for point in whole.points:
            varied, more = check(point.root)
            if varied is not None:
                points.append(Point(point.label, varied, Origins(point.root, name)))
            new = [fault for fault in more if replace(fault, field="") not in known]
            known |= {replace(fault, field="") for fault in new}
            found += [replace(fault, message=f"with {point.label}: {fault.message}") for fault in new]
    faults = _settle([*diagnostics, *found], name)
    if any(fault.severity == "error" for fault in faults):
        return Read(None, faults)
    if spec is None:
        # An error of this package, not of the text.
        raise AssertionError(f"{name} was refused without a reason")
    return Read(spec, faults, Origins(whole.root, name), tuple(points))


def _kind_of(said: Any) -> type[BaseModel] | None:
    """The class of spec that `spec:` names, or None."""
    # Imported on demand: building the classes takes a tenth of the time of validating a spec.
    if said == "causalvae/train-v1":
        from causalvae.spec.training import TrainSpec

        return TrainSpec
    if said == "causalvae/study-v1":
        from causalvae.spec.study import StudySpec

        return StudySpec
    return Spec if said == "causalvae/v1" else None


def _validate(
    model: type[Any] | None, plain: dict[str, Any], folder: FilePath | None = None
) -> tuple[Any, list[Finding]]:
    """A spec from plain values, and findings; at least one error if it is None."""
    said = plain.get("spec")
    named = _kind_of(said)
    model = model or named or Spec
    if named is not None and named is not model:
        # The other keys belong to the other kind of spec, so they are not checked.
        return None, [wrong_kind(said, next(kind for kind in KINDS if _kind_of(kind) is model))]
    reading = read_repaired(model, plain)
    return (None if reading.typos else reading.spec), reading.as_written(_check_whole(reading, folder))


def _check_whole(reading: Reading, folder: FilePath | None) -> list[Finding]:
    """Findings on a spec with corrected keys: validation errors and those of checks across fields."""
    spec, plain, findings = reading.spec, reading.plain, reading.findings
    if not reading.is_analysis:
        return [*findings, *([] if spec is None else _check_other(spec, plain, folder))]
    findings += explain_levels(plain, findings)
    faulty = frozenset(finding.path for finding in findings)
    draft = draft_spec(spec, plain) if isinstance(spec, Spec) else draft_plain(plain, faulty)
    if folder is not None and isinstance(base := plain.get("base"), str):
        wrong = check_place(folder, base, "folder", ("base",))
        findings += wrong
        # Files in a missing folder are missing too, and not reported.
        folder = None if wrong else base_folder(folder, base)
    # The content of an item with too many levels is checked nevertheless.
    findings += check_draft(draft, frozenset(found.path for found in findings if found.code != "CV028"), folder)
    if isinstance(spec, Spec):
        findings += _check_variants(spec, plain, findings, folder)
    return findings


def _check_other(spec: BaseModel, plain: dict[str, Any], folder: FilePath | None) -> list[Finding]:
    """Findings on the data and files of a training or study spec."""
    from causalvae.spec.training import TrainSpec

    if isinstance(spec, TrainSpec):
        found = check_data(spec.data)
        return found if folder is None else [*found, *check_reads(folder, None, spec.data)]
    from causalvae.spec.study import StudySpec

    if not isinstance(spec, StudySpec):
        return []
    # Each analysis of the study has this section.
    findings = [*spec.scores.findings(draft_plain({}, frozenset()), ("scores",)), *_check_cells(spec, plain)]
    for name, section in spec.data.items():
        inside = check_data(section.data)
        if folder is not None:
            inside += check_reads(folder, None, section.data)
            findings += check_place(folder, section.analysis, "file", ("data", name, "analysis"))
        findings += [replace(finding, path=("data", name, *finding.path)) for finding in inside]
    return findings


def _check_cells(study: StudySpec, plain: dict[str, Any]) -> list[Finding]:
    """Findings on the training specs that a study makes, at the values of the study that they are made of."""
    from causalvae.spec.training import TrainSpec

    findings: dict[tuple[str, Path, str], Finding] = {}
    for data, model in product(study.data, study.models):
        try:
            study.train_spec(data, model, max(study.seeds))
        except ValidationError as error:
            where, kind = plain["data"][data], plain["models"][model]
            # Key of the training spec -> the mapping of the study that has its value, and its path.
            owners: dict[str, tuple[dict[str, Any], Path]] = {key: (plain, (key,)) for key in plain}
            owners |= {"name": (plain["data"], ("data", data)), "model": (where, ("data", data, "model"))}
            owners |= {key: (kind, ("models", model, key)) for key in kind}
            owners["data"] = (where, ("data", data, "data"))
            cell = {key: owner.get(str(path[-1])) for key, (owner, path) in owners.items()}
            cell["name"] = f"{data}-{model}-{max(study.seeds)}"
            for found in explain_shape(error.errors(include_url=False), TrainSpec, cell):
                path = (*owners[str(found.path[0])][1], *found.path[1:])
                message = f"the network of '{model}' on '{data}' cannot be trained: {found.message}"
                findings.setdefault(
                    (found.code, path, found.message),
                    replace(found, path=path, message=message, on_key=found.on_key or found.path == ("name",)),
                )
    return list(findings.values())


def _check_variants(spec: Spec, plain: dict[str, Any], known: list[Finding], folder: FilePath | None) -> list[Finding]:
    """Findings on variants that do not apply to the spec itself, at the path of the variant."""
    seen = {(finding.code, finding.path, finding.message) for finding in known}
    findings = []
    for name, section in spec.variants.items():
        own = plain["variants"][name]
        merged = {key: value for key, value in plain.items() if key != "variants"}
        merged |= {key: own[key] for key in ("model", "data") if key in own}
        if section.mapping is not None:
            merged["mapping"] = {**plain.get("mapping", {}), **own["mapping"]}
        for finding in check_draft(draft_spec(spec.variant(name), merged), frozenset(), folder):
            if (finding.code, finding.path, finding.message) in seen:
                continue
            path = finding.path
            held = own.get("mapping") or {}
            here = path[:1] in (("model",), ("data",)) and path[0] in own
            here = here or (len(path) > 1 and path[0] == "mapping" and path[1] in held)
            place = ("variants", name, *path) if here else ("variants", name)
            findings.append(replace(finding, path=place, message=f"in variant '{name}': {finding.message}"))
    return findings


def _settle(diagnostics: list[Diagnostic], file: str) -> tuple[Diagnostic, ...]:
    """The faults in the order of the text, those of the spec's own file first."""
    order = sorted(
        diagnostics, key=lambda fault: (fault.file != file, fault.file, fault.line, fault.column, fault.code)
    )
    faults = list(dict.fromkeys(order))
    refused = any(fault.severity == "error" for fault in faults)
    if len(faults) > MAX_DIAGNOSTICS:
        # Errors and the first of each code come first, so that many faults of one kind do not displace the others.
        firsts = set({fault.code: fault for fault in reversed(faults)}.values())
        chosen = set(sorted(faults, key=lambda fault: (fault not in firsts, fault.severity))[:MAX_DIAGNOSTICS])
        kept = [fault for fault in faults if fault in chosen]
        last = kept[-1]
        more = len(faults) - MAX_DIAGNOSTICS
        kept.append(
            Diagnostic(
                "CV017",
                "error" if refused else "warning",
                f"{more:,} more faults are not listed",
                last.file,
                last.line,
                last.column,
                last.source,
                "Correct these first.",
            )
        )
        faults = kept
    return tuple(faults)
