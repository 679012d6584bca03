"""Runs circuits of edges: every edge outside a circuit carries its source's value of the base run.

A node's value is computed for each set of values that it reads, so two nodes of one layer may read different values of
the same source. Most nodes of a small circuit read only clean values of one side, and then have that side's clean value
themselves: they are not run at all.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.analyses.discoveries.circuit_effects import BoolArray, CircuitEffects, FloatArray, IntArray
from causalvae.analyses.discoveries.edges import Reading, Wiring
from causalvae.analyses.discoveries.network_runs import NetworkRuns
from causalvae.engine.changes import Whole, gather
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import Keep
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import run_clean
from causalvae.engine.suffix import Entry, Suffix
from causalvae.engine.values import CleanRuns, padding
from causalvae.engine.workers import run_tasks
from causalvae.models.components import ComponentRef
from causalvae.models.hooked import HookedNetwork
from causalvae.models.operators import OperatorGraph
from causalvae.plan.types import Side
from causalvae.spec.value_source import OTHER

# What an edge carries: its source's clean value of the side that is run, or of the other; or a value of this run.
_OWN, _OTHER, _RUN = 0, 1, 2
# Numbers that one task keeps of the values of nodes.
_TASK_NUMBERS: Final = 2**25
_TASK_ROWS: Final = 4096
# Numbers of nodes' values that are run together.
_RUN_NUMBERS: Final = 2**22

Kinds = npt.NDArray[np.int8]


class EdgeRuns(NetworkRuns):
    """Circuits of edges of one network, on the pairs of one cohort.

    Parameters
    ----------
    runner, cohort, outcome, period, workers
        As of `NetworkRuns`.
    wiring : Wiring
        The candidates are its edges.
    """

    def __init__(
        self,
        runner: PlanRunner,
        cohort: str,
        wiring: Wiring,
        outcome: str,
        period: float | None = None,
        workers: int = 1,
    ) -> None:
        super().__init__(runner, cohort, wiring.nodes, outcome, "interchange", period, workers)
        self.wiring = wiring
        self.candidates = wiring.edges

    @property
    def parts(self) -> tuple[ComponentRef, ...]:
        """The nodes that edges join."""
        return self.wiring.nodes

    @torch.inference_mode()
    def __call__(self, circuits: BoolArray, only: Tensor | None = None) -> CircuitEffects:
        """The effects of circuits, shape (circuits, edges): every edge outside them carries its value of the base run.

        Pairs other than those of `only` are not run, and mean nothing.
        """
        return self._exchanged("counterfactual", ~circuits, only)

    @torch.inference_mode()
    def patched(self, sets: BoolArray, only: Tensor | None = None) -> CircuitEffects:
        """The effects of sets of edges, (sets, edges), that carry the counterfactual run's value in the base run."""
        return self._exchanged("base", sets, only)

    def _exchanged(self, side: Side, sets: BoolArray, only: Tensor | None) -> CircuitEffects:
        """The effects of runs of `side` in which some edges carry the clean value of the other side."""
        if not len(sets):
            return self.effects(())
        everyone = torch.arange(self.pairs, device=self.runner.device)
        pairs = everyone if only is None else everyone[only]
        values = np.repeat(self._outcomes[side][None], len(sets), axis=0)
        step = max(1, min(_TASK_ROWS, _TASK_NUMBERS // self._numbers) // len(pairs))
        tasks = [
            partial(self._fill_edges, values[first : first + step], side, sets[first : first + step], pairs)
            for first in range(0, len(sets), step)
        ]
        # Made here, for a property that is made once must not be made by two threads.
        _ = self._edge_values, self._meter
        run_tasks(tasks, self._workers)
        self.rows += len(sets) * len(pairs)
        return self._read(values)

    @cached_property
    def _numbers(self) -> int:
        """Numbers of one pair's values of all nodes."""
        components = self.runner.model.components
        sites = {node.site for node in self.parts}
        return sum(int(np.prod(components.site(site).shape)) for site in sites)

    def change(self, site: str) -> Tensor:
        """By how much the clean value of a site differs between the sides: float64, (pairs, *site_shape)."""
        base, other = (self._edge_values.sides[side][self._node(site)].double() for side in ("base", "counterfactual"))
        return other - base

    @cached_property
    def _edge_values(self) -> CleanRuns:
        """Clean values of both sides: of nodes, and of all that is read where they are run again."""
        runner = self.runner
        kept = {*runner.graph.inputs, *(self._node(site) for site in self._order)}
        if isinstance(runner.graph, OperatorGraph):
            for reading in self.wiring.readings:
                kept |= runner.graph.reads(self._entered(reading), self._ends(reading).values())
        size = BatchSize(runner.plan.batch_rows)
        return run_clean(
            runner.graph, self.inputs, Keep({side: frozenset(kept) for side in ("base", "counterfactual")}, {}), size
        )

    def _node(self, site: str) -> str:
        return self.runner.model.components.site(site).node

    def _entered(self, reading: Reading) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._node(self.parts[source].site) for source in reading.sources))

    def _ends(self, reading: Reading) -> dict[str, str]:
        graph, plan = self.runner.graph, self.runner.plan
        if reading.site is None:
            return {name: graph.outputs[name] for name in plan.outputs}
        return {reading.site: self._node(reading.site)}

    def _fill_edges(self, values: FloatArray, side: Side, sets: BoolArray, pairs: Tensor) -> None:
        """Write the outcomes of runs into `values`, (sets, pairs, columns)."""
        # Of each set and node, which of the values it has; and its values of this run by site, (sets, pairs, ...).
        states = np.zeros((len(sets), len(self.parts)), dtype=np.int8)
        found: dict[str, Tensor] = {}
        rows = pairs.cpu().numpy()
        first = 0
        for reading in self.wiring.readings:
            targets = max(1, len(reading.nodes))
            given = sets[:, first : first + reading.edges].reshape(len(sets), targets, -1)
            first += reading.edges
            kinds = np.where(given, np.int8(_OTHER), self._carried(states, reading)[:, None])
            alike = np.where((kinds == _OTHER).all(axis=2), np.int8(_OTHER), np.int8(_RUN))
            alike = np.where((kinds == _OWN).all(axis=2), np.int8(_OWN), alike)
            which, target = np.nonzero(alike == _RUN)
            if reading.site is None:
                other = (alike == _OTHER)[:, 0]
                values[np.ix_(other, rows)] = self._outcomes[OTHER[side]][rows]
                for chosen, outputs in self._run_groups(reading, side, which, kinds[which, target], found, pairs):
                    everyone = pairs.repeat(len(chosen))
                    measured = self._meter(outputs, everyone)
                    values[np.ix_(which[chosen], rows)] = measured.reshape(len(chosen), len(rows), -1)
                return
            states[:, reading.nodes] = alike
            if not len(which):
                continue
            groups, place = np.unique(np.column_stack([which, kinds[which, target]]), axis=0, return_inverse=True)
            place = place.reshape(-1)
            units = np.array([(self.parts[node].units or (0,))[0] for node in reading.nodes])[target]
            clean = self._edge_values.sides[side][self._node(reading.site)]
            shape = clean.shape[1:]
            mine = clean.new_zeros((len(sets), len(pairs), *shape))
            for chosen, outputs in self._run_groups(reading, side, groups[:, 0], groups[:, 1:], found, pairs):
                run = outputs[reading.site].reshape(len(chosen), len(pairs), *shape)
                at = np.full(len(groups), -1)
                at[chosen] = np.arange(len(chosen))
                those = at[place] >= 0
                mine[which[those], :, units[those]] = run[at[place[those]], :, units[those]]
            found[reading.site] = mine

    def _carried(self, states: Kinds, reading: Reading) -> Kinds:
        """What edges to a reading carry if they carry no other side's value: (sets, input and sources)."""
        own = np.zeros((len(states), int(reading.from_input)), dtype=np.int8)
        return np.concatenate([own, states[:, reading.sources]], axis=1)

    def _run_groups(
        self,
        reading: Reading,
        side: Side,
        which: IntArray,
        kinds: Kinds,
        found: dict[str, Tensor],
        pairs: Tensor,
    ) -> list[tuple[IntArray, dict[str, Tensor]]]:
        """Run a value for several sets of what it reads.

        Parameters
        ----------
        reading : Reading
        side : str
        which : int array, shape (groups,)
            The circuit of each group, among those of `found`.
        kinds : int array, shape (groups, input and sources)
        found : dict
            Values of this run.
        pairs : Tensor

        Returns
        -------
        list of (int array, dict)
            Positions of groups, and their values by name, (groups x pairs, ...).
        """
        by_input = kinds[:, 0] if reading.from_input else np.zeros(len(kinds), dtype=np.int8)
        sources = kinds[:, int(reading.from_input) :]
        step = max(1, max(self.runner.plan.batch_rows, min(_TASK_ROWS, _RUN_NUMBERS // self._numbers)) // len(pairs))
        done = []
        for of_input in (_OWN, _OTHER):
            mine = np.flatnonzero(by_input == of_input)
            for first in range(0, len(mine), step):
                chosen = mine[first : first + step]
                given: Side = side if of_input == _OWN else OTHER[side]
                done.append(
                    (chosen, self._run_edges(reading, side, given, which[chosen], sources[chosen], found, pairs))
                )
        return done

    def _run_edges(
        self,
        reading: Reading,
        side: Side,
        given: Side,
        which: IntArray,
        kinds: Kinds,
        found: dict[str, Tensor],
        pairs: Tensor,
    ) -> dict[str, Tensor]:
        """Values by name of groups times pairs, of which the input and what has no nodes are of the side `given`."""
        graph, clean = self.runner.graph, self._edge_values.sides
        count = len(which) * len(pairs)
        padded = padding(count).to(pairs.device)
        rows = pairs.repeat(len(which))[padded]
        group = torch.arange(len(which), device=pairs.device).repeat_interleave(len(pairs))[padded]
        place = torch.arange(len(pairs), device=pairs.device).repeat(len(which))[padded]
        circuit = torch.from_numpy(which).to(pairs.device)[group]
        kind = torch.from_numpy(kinds).to(pairs.device)[group]

        def enter(site: str, value: Tensor, part: slice) -> Tensor:
            """Put what the edges carry in place of a site's nodes, in a part of the batch."""
            mine_rows, mine_kind = rows[part], kind[part]
            members = [k for k, source in enumerate(reading.sources) if self.parts[source].site == site]
            node = self._node(site)
            units = [(self.parts[reading.sources[k]].units or (0,))[0] for k in members]
            mine = mine_kind[:, members].reshape(len(mine_rows), len(members), *([1] * (value.ndim - 2)))
            own, other = (gather(clean[one][node], mine_rows)[:, units] for one in (side, OTHER[side]))
            carried = torch.where(mine == _OTHER, other, own)
            if site in found:
                carried = torch.where(mine == _RUN, found[site][circuit[part], place[part]][:, units], carried)
            value[:, units] = carried
            return value

        sites = list(dict.fromkeys(self.parts[source].site for source in reading.sources))
        if isinstance(graph, HookedNetwork):
            edits = {self._node(site): partial(enter, site, part=slice(None)) for site in sites}
            inputs = (gather(clean[given][name], rows) for name in graph.inputs)
            outputs = graph.rerun(edits, *inputs, nodes=self._ends(reading))
        else:
            if not isinstance(graph, OperatorGraph):
                raise TypeError("a network is an operator graph or is run by hooks")
            entries: dict[str, Entry] = {}
            for site in sites:
                node = self._node(site)
                entries[node] = lambda value, part, node=node, site=site: Whole(  # type: ignore[misc]
                    enter(site, gather(clean[given][node], rows[part]) if value is None else value, part)
                )
            suffix = Suffix(graph, self._entered(reading), self._ends(reading), from_input=False, windows=False)
            outputs = suffix.run(entries, clean[given], rows)
        return {name: value[:count] for name, value in outputs.items()}
