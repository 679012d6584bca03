"""What a spec refers to, opened: network, data, readouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from causalvae.data.conditioned import condition_width
from causalvae.data.dataset import Dataset, open_dataset, reading
from causalvae.data.factors import Factor
from causalvae.data.identity import digest_files
from causalvae.data.pairs import draw_samples
from causalvae.data.split import SplitRule
from causalvae.engine.progress import OnProgress, ignore_progress, one_step
from causalvae.finding import FoundLatents, find_latents, place_found
from causalvae.graph import CausalGraph
from causalvae.models.check import LoadCheck, check_model
from causalvae.models.loading import Model, load_model
from causalvae.models.self_patch import check_sites
from causalvae.readouts import Readout, build_readouts
from causalvae.spec.catalogue import known_data
from causalvae.spec.places import locate
from causalvae.spec.schema import FactorSection, Spec

_CHECK_IMAGES = 256


@dataclass(frozen=True)
class Workspace:
    """Everything that a run of a spec needs besides its plan.

    Parameters
    ----------
    spec : Spec
        With the latents that were found in its mapping.
    folder : Path
        The spec file's folder: relative paths start here.
    model : Model
    dataset : Dataset
    readouts : dict
        Attribute -> readout.
    graph : CausalGraph
        The declared graph.
    check : LoadCheck
        The load-time check's findings.
    found : dict
        Factor -> the latents that were found for it, where the spec leaves them to be found.
    """

    spec: Spec
    folder: Path
    model: Model
    dataset: Dataset
    readouts: Mapping[str, Readout]
    graph: CausalGraph
    check: LoadCheck
    found: Mapping[str, FoundLatents]

    def __repr__(self) -> str:
        return f"Workspace({self.spec!r}, {self.model!r}, data {self.dataset.name!r})"

    @property
    def periods(self) -> dict[str, float]:
        """Attribute -> period, for attributes on a circle."""
        return {name: readout.period for name, readout in self.readouts.items() if readout.period is not None}

    @property
    def affines(self) -> dict[str, tuple[float, float]]:
        """Attribute -> offset and span, for attributes in other units than the network's."""
        return {name: readout.affine for name, readout in self.readouts.items() if readout.affine != (0.0, 1.0)}

    def completed(self, spec: Spec) -> Spec:
        """`spec` with what it leaves open about its factors taken from the data: kind, number of levels, range."""
        known = self.dataset.space
        factors = {
            name: section if name not in known.names else _completed(section, known[name])
            for name, section in spec.graph.factors.items()
        }
        return spec.model_copy(update={"graph": spec.graph.model_copy(update={"factors": factors})})

    @property
    def split(self) -> SplitRule:
        """How finite data are divided into samples to fit, to select and to test on."""
        return SplitRule.of(self.spec.data.split)

    @property
    def data_identity(self) -> str:
        """Content hash of the files that the data is read from; empty for data that is drawn."""
        return digest_files(locate(self.folder, file) for file in self.spec.data.files)


def _completed(section: FactorSection, factor: Factor) -> FactorSection:
    found = {"kind": factor.kind, "levels": factor.size or None, "range": (factor.values[0], factor.values[-1])}
    return section.model_copy(update={key: value for key, value in found.items() if getattr(section, key) is None})


def open_workspace(spec: Spec, folder: Path, tell: OnProgress = ignore_progress) -> Workspace:
    """Load and check what `spec` refers to; a spec that was opened before is not loaded again.

    Parameters
    ----------
    spec : Spec
    folder : Path
        The spec file's folder: relative paths start here.
    tell : callable
        Called with the progress of each stage.

    Raises
    ------
    CausalVAEError
        CV1xx for the network, CV2xx for data and readouts.
    """
    files = (*spec.model.files, *spec.data.files)
    stamps = tuple(_stamp(locate(folder, file)) for file in files if file is not None)
    return _open(spec.digest, stamps, _Held(spec, tell), folder.resolve())


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever a file or one in a folder does, so that replaced weights are read anew; (0, 0) for nothing."""
    if path.is_dir():
        inside = [_stamp(file) for file in sorted((*path.glob("*"), *path.glob("vae/*"))) if file.is_file()]
        return max((time for time, _ in inside), default=0), sum(size for _, size in inside)
    if not path.is_file():
        return 0, 0
    status = path.stat()
    return status.st_mtime_ns, status.st_size


class _Held:
    """A spec and a progress callback that are no part of the cache's key, which holds the spec's digest."""

    def __init__(self, spec: Spec, tell: OnProgress) -> None:
        self.spec = spec
        self.tell = tell

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=4)
def _open(spec_digest: str, stamps: tuple[tuple[int, int], ...], held: _Held, folder: Path) -> Workspace:
    spec = held.spec
    with one_step(held.tell, "reading the data"):
        dataset = open_dataset(spec.data, folder)
        with reading(spec.data):
            inputs = dataset.inputs(draw_samples(dataset, _CHECK_IMAGES, spec.data.seed))
    with one_step(held.tell, "loading the network"):
        model = load_model(spec.model, folder, dataset.input_shape, inputs, condition_width(dataset))
    with one_step(held.tell, "checking the network"):
        check = check_model(model.vae, inputs, spec.model.must_reconstruct)
        check_sites(model.graph, model.components, inputs, model.vae.latent_shape)
    with one_step(held.tell, "finding latents"):
        found = find_latents(spec, model, dataset)
    return Workspace(
        spec=place_found(spec, found),
        folder=folder,
        model=model,
        dataset=dataset,
        readouts=build_readouts(spec.graph.attributes, known_data(spec.data), dataset.columns),
        graph=CausalGraph.from_section(spec.graph),
        found=found,
        check=check,
    )
