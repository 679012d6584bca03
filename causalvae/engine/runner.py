"""What a plan needs of one network and one data set: inputs, shards, tables, controls."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from causalvae.data.dataset import Dataset, as_finite
from causalvae.data.others import Others
from causalvae.data.split import Part
from causalvae.engine.clock import busy_seconds
from causalvae.engine.cohorts import CohortInputs, draw_cohort
from causalvae.engine.controls import check_engine
from causalvae.engine.donors import Donors, choose_donors
from causalvae.engine.effort import OnRows, ignore_rows
from causalvae.engine.fitting import SPLIT_PAIRS, fit_sources, fitted_arms, split_of
from causalvae.engine.lowering import lower
from causalvae.engine.measurements import OUTPUT_GAP, write_table
from causalvae.engine.memory import settle_allocator
from causalvae.engine.observed_columns import Group, column_of
from causalvae.engine.outcomes import Measure, OutcomeMeter
from causalvae.engine.precision import dtype_of
from causalvae.engine.rerun import Shortcuts
from causalvae.engine.responses import ResponsePlan, ShardResponses
from causalvae.engine.shard_run import ShardResult, run_shard
from causalvae.engine.shards import OVERHEADS, GroupCost, ShardInputs, run_padded, shard_bounds
from causalvae.engine.statistics import CHUNK_PAIRS, gather_needed, merge
from causalvae.engine.suffix import Ledger
from causalvae.engine.values import CleanRuns, Statistics
from causalvae.files import write_json
from causalvae.models.components import ComponentMap
from causalvae.models.likelihood import negative_log_likelihood
from causalvae.models.loading import Model
from causalvae.models.network import channel_kl, channel_means
from causalvae.models.program import Program
from causalvae.plan.relays import with_inner
from causalvae.plan.types import OBSERVED, Arm, Cohort, Plan
from causalvae.spec.value_source import DonorKey

# What observations hold of the latent, where the network has it: a column a latent.
LATENT_COLUMNS: tuple[Group, ...] = ("mean", "logvar", "exogenous", "latent")


@dataclass(frozen=True)
class ShardFiles:
    """Where the tables of one shard belong.

    Parameters
    ----------
    cohort : str
    first, stop : int
        Half-open range of its pairs.
    outcomes : Path
    observations : Path or None
        Only in the observed cohort.
    costs : Path
        What it took. It is stored apart, since it differs from run to run.
    responses : Path or None
        Only where responses are read from some of its pairs. A shard that was run for a plan without them is done
        all the same.
    """

    cohort: str
    first: int
    stop: int
    outcomes: Path
    observations: Path | None
    costs: Path
    responses: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether all its tables are there; each is put in place whole."""
        return all(path.exists() for path in (self.outcomes, self.observations, self.costs) if path is not None)


@dataclass(frozen=True)
class ShardTables:
    """What one shard gave: what its files hold.

    Parameters
    ----------
    outcomes : DataFrame
    observations : DataFrame or None
        Only of the observed cohort.
    costs : tuple of GroupCost
    batch_rows : int
        How many rows were run at once in the end.
    responses : DataFrame or None
        Only where some are read.
    """

    outcomes: pd.DataFrame
    observations: pd.DataFrame | None
    costs: tuple[GroupCost, ...]
    batch_rows: int = 0
    responses: pd.DataFrame | None = None


def list_shards(plan: Plan, folder: Path, asked: ResponsePlan | None = None) -> tuple[ShardFiles, ...]:
    """All shards of a plan, cohort by cohort; `asked` are the responses to read from them."""
    read, label = (0, "") if asked is None else (asked.pairs, asked.digest)
    return tuple(
        ShardFiles(
            cohort.name,
            first,
            stop,
            folder / "outcomes" / f"{cohort.name}.{number:05d}.parquet",
            folder / "observations" / f"{number:05d}.parquet" if cohort.name == OBSERVED else None,
            folder / "costs" / f"{cohort.name}.{number:05d}.json",
            folder / "responses" / f"{label}.{number:05d}.parquet"
            if cohort.name == OBSERVED and first < read
            else None,
        )
        for cohort in plan.cohorts
        for number, (first, stop) in enumerate(shard_bounds(cohort.samples, plan.shard_pairs))
    )


def write_shard(files: ShardFiles, tables: ShardTables) -> None:
    """Put the tables of one shard in place, its outcomes last: with these it is done."""
    if files.observations is not None and tables.observations is not None:
        write_table(tables.observations, files.observations)
    if files.responses is not None and tables.responses is not None:
        write_table(tables.responses, files.responses)
    costs = [asdict(cost) for cost in tables.costs]
    write_json({"batch_rows": tables.batch_rows, "costs": costs}, files.costs)
    write_table(tables.outcomes, files.outcomes)


class PlanRunner:
    """Runs one plan on one network and data set.

    Parameters
    ----------
    plan : Plan
    model : Model
    dataset : Dataset
    measure : callable
        From outputs (rows, *output_shape) to attributes (rows, k), float64.
    device : torch.device

    Attributes
    ----------
    plan, measure, device
        As given.
    graph : Program
        The network in the form in which it is run.
    part : {"fit", "select", "test"}
        The part of finite data that cohorts are drawn from.
    """

    part: Part = "test"

    def __init__(self, plan: Plan, model: Model, dataset: Dataset, measure: Measure, device: torch.device) -> None:
        self.plan = plan
        self._model = model
        self._dataset = dataset
        self.measure = measure
        self.device = device
        self._dtype = dtype_of(plan.options.precision)
        self.graph: Program = lower(model.graph.to(device, self._dtype))
        self._fitting = plan.batch_rows
        self._chosen: dict[tuple[str, DonorKey], Donors] = {}
        settle_allocator(device)

    def on(self, device: torch.device) -> PlanRunner:
        """A runner of the same plan that shares nothing with this one and works on `device`."""
        return PlanRunner(self.plan, self._model, self._dataset, copy.deepcopy(self.measure), device)

    def on_part(self, part: Part) -> PlanRunner:
        """A runner whose cohorts are drawn from another part of the data, or with another seed where there is no end.

        They are drawn as the plan's are, and may be smaller.
        """
        runner = copy.copy(self)
        runner.part, runner._chosen = part, {}
        for held in ("cohorts", "noise", "_fitting_part"):
            runner.__dict__.pop(held, None)
        return runner

    @cached_property
    def _fitting_part(self) -> PlanRunner:
        return self.on_part("fit")

    @property
    def model(self) -> Model:
        """The network."""
        return self._model

    @property
    def dataset(self) -> Dataset:
        """The data."""
        return self._dataset

    @property
    def components(self) -> ComponentMap:
        """The network's components."""
        return self._model.components

    @cached_property
    def responses(self) -> ResponsePlan:
        """The responses that the plan asks for."""
        return ResponsePlan(self.plan, self.graph, self.components)

    @cached_property
    def cohorts(self) -> dict[str, CohortInputs]:
        """The samples of every cohort."""
        return {cohort.name: self._draw(cohort) for cohort in self.plan.cohorts}

    def _draw(self, cohort: Cohort) -> CohortInputs:
        if self.part != "test":
            own = split_of(cohort, 0, cohort.samples, self.part)
            return draw_cohort(self._dataset, own, self.plan.split, self.part)
        found = draw_cohort(self._dataset, cohort, self.plan.split)
        if found.cohort.samples < cohort.samples:
            # A plan that was compiled for these data asks for no more than there are.
            raise ValueError(f"{cohort.name} has {found.cohort.samples} samples, and the plan {cohort.samples}")
        return found

    @cached_property
    def noise(self) -> dict[str, Tensor]:
        """The noise of every cohort, (samples, *latent_shape): a pair's does not depend on how the cohort is cut up."""
        return {name: self._noise_of(inputs.cohort) for name, inputs in self.cohorts.items()}

    def _noise_of(self, cohort: Cohort) -> Tensor:
        rng = np.random.default_rng([self.plan.seed, cohort.seed])
        shape = (cohort.samples, *self._model.vae.latent_shape)
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))

    def shard(self, name: str, first: int, stop: int, with_donors: bool = True) -> ShardInputs:
        """The inputs of the pairs from `first` to `stop` of a cohort, and those of the donors that its arms need."""
        cohort = self.cohorts[name]
        noise = self.noise[name]
        sides = {side: self._place(self._dataset.inputs(rows[first:stop])) for side, rows in cohort.rows.items()}
        donors: dict[DonorKey, tuple[Tensor, Tensor]] = {}
        keys = self._donor_keys(name, first) if with_donors else {}
        for key in keys:
            chosen = self.donors(name, key)
            last = min(stop, keys[key])
            x = self._dataset.inputs(chosen.rows[first:last])
            donors[key] = (self._place(x), self._place(noise[torch.from_numpy(chosen.pairs[first:last])]))
        return ShardInputs(name, first, sides, self._place(noise[first:stop]), donors)

    def picked(self, name: str, pairs: Sequence[int]) -> ShardInputs:
        """The inputs of some pairs of a cohort, in increasing order, and those of their donors."""
        cohort, noise, chosen = self.cohorts[name], self.noise[name], np.asarray(pairs)
        sides = {side: self._place(self._dataset.inputs(rows[chosen])) for side, rows in cohort.rows.items()}
        donors: dict[DonorKey, tuple[Tensor, Tensor]] = {}
        for key in self._donor_keys(name, 0):
            found = self.donors(name, key)
            x = self._dataset.inputs(found.rows[chosen])
            donors[key] = (self._place(x), self._place(noise[torch.from_numpy(found.pairs[chosen])]))
        return ShardInputs(name, 0, sides, self._place(noise[torch.from_numpy(chosen)]), donors, tuple(pairs))

    def _place(self, value: Tensor) -> Tensor:
        return value.to(self.device, self._dtype)

    def _donor_keys(self, cohort: str, first: int) -> dict[DonorKey, int]:
        """Keys of the donors that a cohort's arms from the pair `first` on need, and up to which pair they do."""
        found: dict[DonorKey, int] = {}
        for arm in with_inner(arm for arm in self.plan.arms if arm.cohort == cohort):
            if arm.pairs > first:
                for patch in arm.patches:
                    key = patch.source.donor_key(arm.side)
                    if key is not None:
                        found[key] = max(found.get(key, 0), arm.pairs)
        return found

    def donors(self, cohort: str, key: DonorKey) -> Donors:
        """The donors of all pairs of a cohort."""
        if (cohort, key) not in self._chosen:
            drawn = self.cohorts[cohort]
            self._chosen[cohort, key] = choose_donors(self._dataset, drawn.rows, key, _others(drawn.cohort))
        return self._chosen[cohort, key]

    def chunks(self, name: str) -> Iterator[ShardInputs]:
        """A cohort's pairs, a few at a time, whatever the plan's shards."""
        for first, stop in shard_bounds(self.cohorts[name].cohort.samples, CHUNK_PAIRS):
            yield self.shard(name, first, stop, with_donors=False)

    def statistics(self, name: str, arms: list[Arm]) -> dict[str, Statistics]:
        """What the arms' sources need to know: of the samples to fit on, so that no arm is tested on what it knows."""
        arms = with_inner(arms)
        chunks, rows = self._fitting_part.chunks, self._fitting
        return merge(
            self._fitted(name, arms), gather_needed(self.graph, self._model.components, arms, chunks, name, rows)
        )

    def _fitted(self, name: str, arms: list[Arm]) -> dict[str, Statistics]:
        """What the arms' sources need that is fitted on pairs of its own."""
        parts: list[dict[str, Statistics]] = []
        for seed, needing in fitted_arms(arms).items():
            # Gradients are taken through the network's own operations, which refuse what inference mode made.
            with torch.inference_mode(False):
                graph = self._model.graph.to(self.device)
                inputs = self.split(name, seed)
                found = fit_sources(graph, self._model.components, needing, inputs, self.plan.outputs, CHUNK_PAIRS)
            rounded = {
                site: replace(facts, fitted={key: value.to(self._dtype) for key, value in facts.fitted.items()})
                for site, facts in found.items()
            }
            parts.append(rounded)
        return merge(*parts)

    def split(
        self, name: str, seed: int, pairs: int = SPLIT_PAIRS, purpose: str = "fit", keys: tuple[DonorKey, ...] = ()
    ) -> ShardInputs:
        """Pairs that are drawn as a cohort's are, to fit on, in float32, with donors from among them."""
        drawn = draw_cohort(
            self._dataset, split_of(self.plan.cohort(name), seed, pairs, purpose), self.plan.split, "fit"
        )
        cohort, rows = drawn.cohort, drawn.rows
        sides = {side: self._dataset.inputs(samples).to(self.device) for side, samples in rows.items()}
        noise = self._noise_of(cohort).to(self.device)
        donors = {}
        for key in keys:
            chosen = choose_donors(self._dataset, rows, key, _others(cohort))
            donors[key] = (self._dataset.inputs(chosen.rows).to(self.device), noise[torch.from_numpy(chosen.pairs)])
        return ShardInputs(name, 0, sides, noise, donors)

    def run(
        self,
        inputs: ShardInputs,
        arms: list[Arm],
        statistics: Mapping[str, Statistics],
        on_rows: OnRows,
        responses: ShardResponses | None = None,
        clean: CleanRuns | None = None,
    ) -> ShardResult:
        """Run one shard, in batches that fitted into memory in earlier ones; `clean` as for `run_shard`."""
        plan = replace(self.plan, batch_rows=self._fitting)
        found = run_shard(
            plan, arms, self.graph, self._model.components, inputs, statistics, self.measure, on_rows, responses, clean
        )
        self._fitting = min(self._fitting, found.batch_rows)
        return found

    def tables(
        self,
        files: ShardFiles,
        arms: list[Arm],
        statistics: Mapping[str, Statistics],
        on_rows: OnRows,
    ) -> ShardTables:
        """Run one shard: what its files are to hold.

        Parameters
        ----------
        files : ShardFiles
            Says which pairs of which cohort; nothing is written.
        arms : list of Arm
            The cohort's.
        statistics : mapping
            What `statistics` gave for these.
        on_rows : callable
            Told of rows as they finish, and of their effort.
        """
        began = busy_seconds(self.device)
        inputs = self.shard(files.cohort, files.first, files.stop)
        made = GroupCost("both", OVERHEADS, 0, 0, 0, busy_seconds(self.device) - began)
        responses = None if files.responses is None else ShardResponses(self.responses, files.first, files.stop)
        result = self.run(inputs, arms, statistics, on_rows, responses)
        observations = None if files.observations is None else self.observations(inputs, result.clean)
        read = None if responses is None else responses.frame()
        return ShardTables(result.outcomes, observations, (*result.costs, made), result.batch_rows, read)

    def read_responses(self, files: Sequence[ShardFiles]) -> None:
        """Run the rows of responses again in shards that were run for a plan without them, and store what they give."""
        if not files:
            return
        arms = self.responses.arms
        statistics = self.statistics(OBSERVED, arms)
        for shard in files:
            stop = min(shard.stop, self.responses.pairs)
            responses = ShardResponses(self.responses, shard.first, stop)
            self.run(self.shard(OBSERVED, shard.first, stop), arms, statistics, ignore_rows, responses)
            if shard.responses is not None:
                write_table(responses.frame(), shard.responses)

    def observations(self, inputs: ShardInputs, clean: CleanRuns) -> pd.DataFrame:
        """The observation rows of one shard of the observed cohort."""
        samples = self.cohorts[OBSERVED].rows["base"][inputs.first : inputs.first + inputs.rows]
        values = self._dataset.values(samples)
        nodes = {name: clean.sides["base"][node] for name, node in self.graph.outputs.items()}
        frame: dict[str, Any] = {"sample": np.arange(inputs.first, inputs.first + inputs.rows)}
        for position, name in enumerate(self._dataset.space.names):
            frame[column_of("factor", name)] = values[:, position]
        meter = OutcomeMeter(self.measure, self.plan, nodes, None)
        # What an attribute is on the input itself: a latent has no other value there.
        target = self._model.vae.target(inputs.sides["base"])
        sides: tuple[tuple[Group, dict[str, Any]], ...] = (("attribute", nodes), ("input", {**nodes, "output": target}))
        for prefix, read in sides:
            measured = meter.attributes(read).cpu().numpy()
            for position, name in enumerate(self.plan.attributes):
                frame[column_of(prefix, name)] = measured[:, position]
        for prefix in (name for name in LATENT_COLUMNS if name in nodes):
            columns = channel_means(nodes[prefix].double()).cpu().numpy()
            for latent in range(columns.shape[1]):
                frame[column_of(prefix, latent)] = columns[:, latent]
        if "logvar" in nodes and nodes["mean"].ndim > 2:
            # Of a map's channel the means of its positions do not tell the KL, which is their sum.
            columns = channel_kl(nodes["mean"].double(), nodes["logvar"].double()).cpu().numpy()
            for latent in range(columns.shape[1]):
                frame[column_of("kl", latent)] = columns[:, latent]
        likelihood = negative_log_likelihood(self._model.vae, nodes["output"].float(), inputs.sides["base"].float())
        frame["reconstruction"] = likelihood.cpu().numpy()
        frame[OUTPUT_GAP] = _gaps(nodes["output"], inputs.first)
        return pd.DataFrame(frame)

    def pairs_table(self) -> pd.DataFrame:
        """Samples and factor values of every cohort, as `Measurements.pairs`."""
        frames, finite = [], as_finite(self._dataset)
        for name, inputs in self.cohorts.items():
            base = self._dataset.values(inputs.rows["base"])
            other = self._dataset.values(inputs.rows.get("counterfactual", inputs.rows["base"]))
            frame: dict[str, Any] = {"cohort": name, "pair": np.arange(len(base))}
            for side in ("base", "counterfactual"):
                numbers = inputs.numbers.get(side, inputs.numbers["base"])
                frame[f"{side}_sample"] = numbers
                files = () if finite is None else finite.files_of(numbers)
                if files:
                    frame[f"{side}_file"] = files
            for prefix, values in (("base", base), ("counterfactual", other)):
                for position, factor in enumerate(self._dataset.space.names):
                    frame[f"{prefix}:{factor}"] = values[:, position]
            frames.append(pd.DataFrame(frame))
        return pd.concat(frames, ignore_index=True)

    def whole_latent(self, sample: int) -> tuple[Tensor, Tensor]:
        """The latent of one sample of the observed cohort, (1, *latent_shape), and its input, in float32."""
        inputs = self.shard(OBSERVED, sample, sample + 1, with_donors=False)
        x = inputs.sides["base"]
        return run_padded(self.graph, x, inputs.noise, ())[self.graph.outputs["latent"]].float(), x.float()

    def controls(self, sites: Collection[str], ledger: Ledger) -> dict[str, Any]:
        """The plan's exact controls, except those of sites that a screen left out.

        Parameters
        ----------
        sites : collection of str
            That are patched.
        ledger : Ledger
            Takes what is computed.
        """
        if not self.plan.controls.exact:
            return {}
        # All of the effect passes through the latent unless the decoder reads the input.
        through_latent = not self._model.vae.decoder_reads_input
        arms = [
            arm
            for arm in self.plan.controls.exact
            for patch in arm.patches
            if (through_latent if patch.source.is_exchanged else patch.site in sites)
        ]
        first = self.plan.controls.exact[0]
        stop = min(first.pairs, self.plan.shard_pairs)
        inputs = self.shard(first.cohort, 0, stop, with_donors=False)
        found = check_engine(
            self.graph,
            self._model.components,
            self._model.network.to(self.device),
            arms,
            inputs,
            self._fitting,
            Shortcuts.of(self.plan.options),
            ledger,
        )
        return asdict(found)


def _others(cohort: Cohort) -> Others:
    return "hold" if cohort.treatment is None else cohort.treatment.others


def _gaps(output: Tensor, first: int) -> np.ndarray:
    """Squared distance of each output to its neighbour's, shape (rows,); half of the mean is the output's variance.

    Samples 2k and 2k + 1 are neighbours, so that the distances do not depend on how a cohort is cut into shards of an
    even size; NaN where the neighbour is in another shard.
    """
    flat = output.double().flatten(1)
    neighbour = torch.from_numpy((np.arange(first, first + len(flat)) ^ 1) - first)
    here = (neighbour >= 0) & (neighbour < len(flat))
    gaps = (flat - flat[neighbour.clamp(0, len(flat) - 1).to(flat.device)]).square().sum(1).cpu()
    return np.asarray(torch.where(here, gaps, torch.nan).numpy())
