"""A spec with everything that it names opened: the value that the stages of a run share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from causalvae.boundary import coded
from causalvae.data.conditioned import condition_width
from causalvae.data.dataset import Dataset, open_dataset, reading
from causalvae.data.factors import Factor
from causalvae.data.identity import digest_files
from causalvae.data.pairs import draw_samples
from causalvae.data.split import SplitRule
from causalvae.engine.outcomes import Measure
from causalvae.engine.progress import OnProgress, ignore_progress, one_step
from causalvae.engine.workers import single_threaded_kernels
from causalvae.graph import CausalGraph
from causalvae.latent_search import check_wanted, find_latents, place_found
from causalvae.models.check import LoadCheck, check_model
from causalvae.models.components import Site
from causalvae.models.loading import Model, load_model
from causalvae.models.self_patch import check_sites
from causalvae.plan.passes.pack import rows_at_once
from causalvae.readouts import Readout, build_readouts
from causalvae.readouts import measure as measure_outputs
from causalvae.selection import FoundLatents
from causalvae.spec.places import locate
from causalvae.spec.schema import FactorSection, Spec
from causalvae.spec.whole_output import WholeOutput
from causalvae.text import html_table

# Inputs on which a network is checked: the first number, and fewer where a pass takes many operations.
_CHECK_IMAGES, _LEAST_CHECKED = 256, 32
_CHECK_FLOPS = 1e11


@dataclass(frozen=True)
class Session:
    """A spec with its network, data, readouts and declared graph: opened once, and passed to each stage of a run.

    Parameters
    ----------
    declared : Spec
        As it was given.
    spec : Spec
        The same, with the latents that were found in its mapping.
    folder : Path
        The spec file's folder: relative paths start here.
    model : Model
    dataset : Dataset
    readouts : mapping
        Attribute -> readout.
    graph : CausalGraph
        The declared graph.
    check : LoadCheck
        What was found when the network was loaded.
    found : mapping
        Factor -> the latents that were found for it, where the spec leaves them to be found.

    Examples
    --------
    >>> import causalvae
    >>> session = causalvae.open("specs/compiled_or.yaml")
    >>> session.model
    Model(11 components, 355 parameters)
    >>> session.dataset.input_shape
    (3,)
    """

    declared: Spec
    spec: Spec
    folder: Path
    model: Model
    dataset: Dataset
    readouts: Mapping[str, Readout]
    graph: CausalGraph
    check: LoadCheck
    found: Mapping[str, FoundLatents]

    def __repr__(self) -> str:
        return f"Session({self.spec!r}, {self.model!r}, data {self.dataset.name!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the spec, the network and the data."""
        spec = self.spec
        rows = [
            ("Network", spec.model.label),
            ("Components", f"{len(self.components)}"),
            ("Data", self.dataset.name),
            ("Factors", ", ".join(spec.graph.factors)),
            ("Attributes", ", ".join(spec.graph.attributes)),
            ("Interventions", ", ".join(each.name for each in spec.interventions)),
            ("Hypotheses", ", ".join(each.name for each in spec.hypotheses)),
        ]
        return html_table(f"Session of {spec.name}", rows)

    @property
    def components(self) -> tuple[Site, ...]:
        """Every addressable component of the network, in the order of computation."""
        return self.model.components.sites

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        """Names of the network's parameters that neither encoding nor decoding uses, so that no address names them."""
        return self.model.unused

    @property
    def measure(self) -> Measure:
        """From outputs, shape (rows, *output_shape), to attributes, shape (rows, attributes), float64."""
        return partial(measure_outputs, self.readouts)

    @property
    def whole(self) -> WholeOutput:
        """The decoded output as one outcome."""
        return WholeOutput.of(self.model.graph.shape(self.model.graph.outputs["output"]))

    @property
    def units(self) -> dict[str, str]:
        """Attribute -> its own unit."""
        return {name: readout.unit for name, readout in self.readouts.items()}

    @property
    def labels(self) -> dict[str, dict[float, str]]:
        """Categorical factor -> value -> name of the level, for the factors whose levels the data name."""
        return {
            factor.name: dict(zip(factor.values, factor.labels, strict=True))
            for factor in self.dataset.space.factors
            if factor.labels
        }

    @property
    def periods(self) -> dict[str, float]:
        """Attribute -> period, for attributes on a circle."""
        return {name: readout.period for name, readout in self.readouts.items() if readout.period is not None}

    @property
    def affines(self) -> dict[str, tuple[float, float]]:
        """Attribute -> offset and span, for attributes in other units than the network's."""
        return {name: readout.affine for name, readout in self.readouts.items() if readout.affine != (0.0, 1.0)}

    @property
    def completed_spec(self) -> Spec:
        """The spec with what it leaves open about its factors taken from the data: kind, number of levels, range."""
        spec, known = self.spec, self.dataset.space
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


@coded
@single_threaded_kernels()
def open_session(spec: Spec, folder: str | Path, on_progress: OnProgress = ignore_progress) -> Session:
    """Load and check what a spec names.

    Parameters
    ----------
    spec : Spec
    folder : str or Path
        The spec file's folder: relative paths start here.
    on_progress : callable
        Called with the progress of each stage.

    Raises
    ------
    CausalVAEError
        CV1xx for the network, CV2xx for data and readouts.
    """
    folder = Path(folder).resolve()
    with one_step(on_progress, "reading the data"):
        dataset = open_dataset(spec.data, folder)
        # Now, because loading a network may take minutes.
        check_wanted(spec, dataset.space)
        with reading(spec.data):
            inputs = dataset.inputs(draw_samples(dataset, _CHECK_IMAGES, spec.data.seed))
    with one_step(on_progress, "loading the network"):
        model = load_model(spec.model, folder, dataset.input_shape, inputs, condition_width(dataset))
    with one_step(on_progress, "checking the network"):
        most = max(_LEAST_CHECKED, int(min(_CHECK_IMAGES, _CHECK_FLOPS // max(model.components.flops, 1.0))))
        checked = rows_at_once(spec.execution.memory_bytes, model.components, most)
        check = check_model(model.vae, inputs[:checked], spec.model.must_reconstruct, spec.data.is_rescaled)
        check_sites(model.graph, model.components, inputs, model.vae.latent_shape)
    with one_step(on_progress, "finding latents"):
        readouts = build_readouts(spec.graph.attributes, spec.data.input_facts(), dataset.columns)
        found = find_latents(spec, model, dataset, readouts)
    return Session(
        declared=spec,
        spec=place_found(spec, found),
        folder=folder,
        model=model,
        dataset=dataset,
        readouts=readouts,
        graph=CausalGraph.from_section(spec.graph),
        check=check,
        found=found,
    )
