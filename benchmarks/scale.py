"""Whole runs of up to ten million interventions: ``python -m benchmarks.scale`` writes ``results/scale.md``.

Each run is a process of its own, from the spec to the report, on one thread. Two series end at 10^7 interventions: one
in the number of pairs, with the same units, and one in the number of units, with the same pairs. Seconds are CPU
seconds of the process; memory is the high-water mark of its resident set, which is reset at each stage. Last,
`benchmarks.simulation` is run on what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.memory import high_water, reset_high_water
from benchmarks.timing import describe_machine

# Channels of maps and units of vectors of each layer of the Burgess network, of which a share is swept.
_CHANNELS = ("encoder.conv1", "encoder.conv2", "encoder.conv3", "encoder.conv_64")
_CHANNELS_OUT = ("decoder.convT_64", "decoder.convT1", "decoder.convT2")
_UNITS = {"encoder.lin1": 256, "encoder.lin2": 256, "latent": 10}
_UNITS_OUT = {"decoder.lin1": 256, "decoder.lin2": 256, "decoder.lin3": 512}
_WIDTH = 32
BUDGET = "500 MB"
RESULTS = Path(__file__).parent / "results"

_SPEC = """\
spec: causalvae/v1
name: scale
model: {{source: zoo, weights: "builtin://dsprites-disentangled"}}
data: {{source: dsprites, samples: {samples}, seed: 7}}
graph:
  factors: [scale, x]
  attributes: {{area: {{readout: area}}, cx: {{readout: centroid, axis: x}}}}
  edges: [scale -> area, x -> cx]
interventions:
  - {{name: resize, input: {{factor: scale}}}}
  - name: units
    activation: {{components: [{components}], by: unit, from: resize, pairs: {pairs}}}
estimation: {{dowhy: false}}
alignment: {{samples: 256, pairs: 128}}
execution: {{controls: false, device: cpu, memory: {memory}}}
"""


@dataclass(frozen=True)
class Case:
    """One run.

    Parameters
    ----------
    series : {"pairs", "units"}
        What grows.
    channels : int
        Channels of each map, of 32; of vectors the same share.
    pairs : int
    """

    series: str
    channels: int
    pairs: int

    @property
    def name(self) -> str:
        """Names the run's folder."""
        return f"{self.series}-{self.channels}-{self.pairs}"

    @property
    def rows(self) -> int:
        """About how many interventions it has."""
        return self.channels * 88_074 // _WIDTH * self.pairs

    def spec(self) -> str:
        """The run's spec."""
        maps = [*_CHANNELS, *_CHANNELS_OUT]
        vectors = _UNITS | _UNITS_OUT
        if self.channels == _WIDTH:
            parts = [*maps, *vectors]
        else:
            parts = [f"{name}[{_spread(self.channels, _WIDTH)}]" for name in maps]
            parts += [f"{name}[{_spread(size * self.channels // _WIDTH or 1, size)}]" for name, size in vectors.items()]
        return _SPEC.format(
            components=", ".join(f'"{part}"' for part in parts),
            pairs=self.pairs,
            samples=max(64, self.pairs),
            memory=BUDGET,
        )


def _spread(count: int, size: int) -> str:
    """Indices of `count` of `size` units, evenly spread."""
    return ", ".join(str(place * size // count) for place in range(count))


@dataclass(frozen=True)
class Stage:
    """CPU seconds of one stage of a run, and the resident set's high-water mark during it, MB."""

    name: str
    seconds: float
    peak: float


@dataclass(frozen=True)
class ShardCosts:
    """The swept shards of a run, and what each costs the process that hands them out.

    Parameters
    ----------
    pairs : int
        Of a whole shard.
    clean : tuple of float
        CPU seconds of each shard's inputs and clean runs, which do not depend on how many arms it has.
    rows : tuple of float
        CPU seconds of each shard's other rows.
    collecting, writing : float
        CPU seconds a shard to take its tables from bytes, and to put their files in place.
    bytes : int
        Of a shard's tables on their way.
    """

    pairs: int
    clean: tuple[float, ...]
    rows: tuple[float, ...]
    collecting: float
    writing: float
    bytes: int


@dataclass(frozen=True)
class Run:
    """What one run took.

    Parameters
    ----------
    case : Case
    arms, rows, live : int
        Interventions without pairs, with pairs, and those of the latter that were run.
    rows_seconds : float
        CPU seconds of the engine's rows, as the run's cost files say.
    stages : tuple of Stage
    loaded : float
        Resident set once everything is imported, MB.
    files : dict
        Name of an output -> bytes.
    shards : ShardCosts
    """

    case: Case
    arms: int
    rows: int
    live: int
    rows_seconds: float
    stages: tuple[Stage, ...]
    loaded: float
    files: dict[str, int]
    shards: ShardCosts

    @property
    def seconds(self) -> float:
        """CPU seconds of all stages."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def peak(self) -> float:
        """The largest resident set, MB."""
        return max(stage.peak for stage in self.stages)


class _Stages:
    """Follows the stages of a run."""

    def __init__(self) -> None:
        self.found: dict[str, Stage] = {}
        self._name = "start"
        self._began = time.process_time()
        reset_high_water()

    def __call__(self, progress: object) -> None:
        name = str(getattr(progress, "stage"))  # noqa: B009
        if name != self._name:
            self.close(name)

    def close(self, name: str = "") -> None:
        """End the stage that is under way."""
        now, peak = time.process_time(), high_water()
        held = self.found.get(self._name, Stage(self._name, 0.0, 0.0))
        self.found[self._name] = Stage(self._name, held.seconds + now - self._began, max(held.peak, peak))
        self._name, self._began = name, now
        reset_high_water()


def run_case(case: Case, folder: Path) -> Run:
    """Run one case in this process."""
    import causalvae

    path = folder / "spec.yaml"
    path.write_text(case.spec(), encoding="utf-8")
    # What libraries load at their first call counts as loaded.
    small = replace(case, channels=1, pairs=8)
    (folder / "small.yaml").write_text(small.spec().replace("name: scale", "name: small"), encoding="utf-8")
    causalvae.run(folder / "small.yaml", out=folder / "runs")
    loaded = reset_high_water()
    stages = _Stages()
    outcome = causalvae.run(path, out=folder / "runs", on_progress=stages)
    stages.close()
    tables = next((folder / "runs" / "scale" / "tables").iterdir())
    manifest = json.loads((tables / "manifest.json").read_text(encoding="utf-8"))
    swept = [json.loads(file.read_text(encoding="utf-8"))["costs"] for file in (tables / "costs").glob("*.json")]
    seconds = sum(cost["seconds"] for costs in swept for cost in costs if cost["arms"])
    plan = json.loads((tables / "plan.json").read_text(encoding="utf-8"))
    files = {path.name: path.stat().st_size for path in outcome.folder.iterdir()}
    files["tables"] = sum(path.stat().st_size for path in tables.rglob("*") if path.is_file())
    return Run(
        case, plan["arms"], manifest["rows"], manifest["rows_run"], seconds, tuple(stages.found.values()), loaded,
        files, measure_shards(tables, "resize", manifest["shard_pairs"], folder),
    )  # fmt: skip


def measure_shards(tables: Path, cohort: str, pairs: int, folder: Path) -> ShardCosts:
    """What the shards of a cohort took, and what it takes to receive and write them once more."""
    from causalvae.engine.runner import ShardFiles, ShardTables, write_shard
    from causalvae.engine.tables import read_table

    clean, rows, collecting, writing, sizes = [], [], 0.0, 0.0, []
    for path in sorted(tables.glob(f"outcomes/{cohort}.*.parquet")):
        costs = json.loads((tables / "costs" / f"{path.stem}.json").read_text(encoding="utf-8"))["costs"]
        rows.append(sum(cost["seconds"] for cost in costs if cost["arms"]))
        clean.append(sum(cost["seconds"] for cost in costs) - rows[-1])
        found = read_table(path)
        found["arm"] = found["arm"].astype("category")
        sent = pickle.dumps(ShardTables(found, None, ()), protocol=5)
        began = time.process_time()
        received = pickle.loads(sent)
        collecting += time.process_time() - began
        began = time.process_time()
        write_shard(ShardFiles(cohort, 0, pairs, folder / path.name, None, folder / "costs.json"), received)
        writing += time.process_time() - began
        sizes.append(len(sent))
    count = len(rows)
    return ShardCosts(pairs, tuple(clean), tuple(rows), collecting / count, writing / count, sum(sizes) // count)


def measure(case: Case) -> Run:
    """Run one case in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.scale", "--case", json.dumps(asdict(case)), folder],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).resolve().parents[1],
        )
    return read_run(json.loads(answer.stdout.splitlines()[-1]))


def read_run(found: object) -> Run:
    """A run from its JSON."""
    return TypeAdapter(Run).validate_python(found)


CASES = (
    Case("pairs", 1, 36),
    Case("pairs", 1, 363),
    Case("pairs", 1, 3634),
    Case("units", 1, 36),
    Case("units", 32, 36),
    Case("units", 32, 113),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, simulate and write; 1 where a run holds more than its budget."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="Runs of up to 10^7 interventions.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--largest", type=int, default=10**7, help="leave out cases with more interventions than this")
    parser.add_argument("--again", action="store_true", help="measure no run anew that scale.json in the folder has")
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.case:
        print(json.dumps(asdict(run_case(Case(**json.loads(options.case[0])), Path(options.case[1])))))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    held = options.out / "scale.json"
    content = json.loads(held.read_text(encoding="utf-8")) if options.again and held.exists() else {}
    content |= {"machine": describe_machine(), "budget": BUDGET}
    runs = {run.case: run for run in map(read_run, content.get("runs", ()))}

    def keep() -> None:
        # A command that was stopped goes on with --again.
        content["runs"] = [asdict(runs[case]) for case in CASES if case in runs]
        held.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    from benchmarks.scale_report import Machine, measure_machine, write_scale

    if "times" not in content:
        content["times"] = asdict(measure_machine())
        keep()
    for case in CASES:
        if case not in runs and case.rows <= options.largest:
            runs[case] = measure(case)
            keep()
    keep()
    times = TypeAdapter(Machine).validate_python(content["times"])
    return write_scale([runs[case] for case in CASES if case in runs], times, options.out)


if __name__ == "__main__":
    raise SystemExit(main())
