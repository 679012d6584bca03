"""Runs every kind of network on every kind of data, and writes docs/support.md from what happened.

    python docs/support_table.py            # about a quarter of an hour of one core
    python docs/support_table.py --only mlp # one network's row anew

Networks of the package are trained for a few steps and so reconstruct poorly: the table says what goes through, not how
well. What happened in each cell is kept in docs/support.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

import causalvae
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from tests.data.files.test_celeba import write_celeba
from tests.data.files.test_morphomnist import small_folder
from tests.data.files.test_own import write_images
from tests.models.pythae_folders import default_state, write_folder

STAGES = ("trains", "loads", "components", "four levels", "report")
STEPS = 12


@dataclass(frozen=True)
class Data:
    """A data section, what is changed in it (a factor, or whole samples), and what can be measured on its outputs."""

    name: str
    shape: tuple[int, ...]
    section: dict[str, object]
    treatment: dict[str, object]
    prepare: Callable[[Path], object] | None = None
    likelihood: str = "bernoulli"


def _npz(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(folder / "own.npz", inputs=rng.random((60, 1, 16, 16), dtype=np.float32))


def _csv(folder: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["g1,g2,g3,g4,g5,g6,dose"]
    lines += [",".join(f"{v:.4f}" for v in rng.random(7)) for _ in range(80)]
    (folder / "own.csv").write_text("\n".join(lines), encoding="utf-8")


SWAP: dict[str, object] = {"set": "swap"}
SHAPES = {"size": "uniform(0.12, 0.3)", "x": {"equation": "0.4 + 0.5 * size + normal(0, 0.03)", "clip": [0.3, 0.7]}}
TONES = {"pitch": "uniform(200, 800)", "loudness": "uniform(0.3, 1)"}
TABLE = {"age": "uniform(0, 1)", "dose": "0.5 * age + uniform(0, 0.5)", "effect": "dose * age + normal(0, 0.05)"}
DATA = (
    Data("dsprites", (1, 64, 64), {"source": "dsprites"}, {"factor": "scale"}),
    Data("scm shapes", (3, 64, 64), {"source": "scm", "world": "shapes", "variables": SHAPES}, {"factor": "size"}),
    Data("scm tones", (1, 1024), {"source": "scm", "world": "tones", "variables": TONES}, {"factor": "pitch"},
         likelihood="gaussian"),
    Data("scm table", (3,), {"source": "scm", "world": "table", "variables": TABLE}, {"factor": "dose"},
         likelihood="gaussian"),
    Data("pendulum", (3, 64, 64), {"source": "pendulum", "side": 64}, {"factor": "pendulum"}),
    Data("ising", (8,), {"source": "ising", "levels": 4}, {"factor": "field"}),
    Data("mixtures", (3,), {"source": "mixtures"}, {"factor": "sine"}, likelihood="gaussian"),
    Data("perturbations", (48,), {"source": "perturbations"}, {"factor": "P1"}, likelihood="gaussian"),
    Data("morphomnist", (1, 32, 32), {"source": "morphomnist", "path": "morpho", "part": "t10k", "size": 32},
         {"factor": "thickness", "others": "propagate"}, lambda folder: small_folder(_made(folder / "morpho"), n=120)),
    Data("celeba", (3, 64, 64), {"source": "celeba", "path": "faces"}, SWAP,
         lambda folder: write_celeba(_made(folder / "faces"))),
    Data("csv", (6,), {"source": "csv", "path": "own.csv", "inputs": ["g*"], "factors": ["dose"]}, SWAP, _csv,
         "gaussian"),
    Data("npz", (1, 16, 16), {"source": "npz", "path": "own.npz"}, SWAP, _npz),
    Data("images", (3, 32, 32), {"source": "images", "path": "pictures", "size": 32}, SWAP, write_images),
)  # fmt: skip


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Network:
    """A network of the package, trained here, or another library's, written here with random weights."""

    name: str
    fits: Callable[[Data], bool]
    training: Callable[[Data], dict[str, object]] | None = None
    section: Callable[[Data, Path], dict[str, object]] = lambda data, folder: {}


def _plain(architecture: str, **keys: object) -> Callable[[Data], dict[str, object]]:
    return lambda data: {
        "model": {"architecture": architecture, "latent_dim": 4, "likelihood": data.likelihood, **keys},
        "objective": {"name": "vae"},
    }


def _image(data: Data) -> bool:
    return len(data.shape) == 3


def _checkpoint(data: Data, folder: Path) -> dict[str, object]:
    from causalvae.models.burgess import burgess

    torch.save(burgess(4, channels=data.shape[0]).state_dict(), folder / "model.pt")
    return {"source": "checkpoint", "name": "burgess", "weights": "model.pt"}


def _pythae(data: Data, folder: Path) -> dict[str, object]:
    write_folder(folder / "pythae", "VAEConfig", data.shape, 4, default_state(data.shape, 4))
    return {"source": "pythae", "path": "pythae"}


def _diffusers(data: Data, folder: Path) -> dict[str, object]:
    import diffusers

    torch.manual_seed(0)
    network = diffusers.AutoencoderKL(
        in_channels=data.shape[0],
        out_channels=data.shape[0],
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
        sample_size=data.shape[1],
    )
    network.save_pretrained(folder / "vae")
    return {"source": "diffusers", "path": "vae"}


NETWORKS = (
    Network("burgess", lambda d: _image(d) and d.shape[1:] == (64, 64), _plain("burgess")),
    Network("mlp", lambda d: True, _plain("mlp")),
    Network("residual", lambda d: _image(d) and d.shape[1] >= 16, _plain("residual")),
    Network("audio", lambda d: len(d.shape) == 2, _plain("audio")),
    Network(
        "vq",
        lambda d: True,
        lambda d: {
            "model": {"architecture": "vq", "latent_dim": 4, "likelihood": d.likelihood, "codes": 16},
            "objective": {"name": "vq_vae"},
        },
    ),
    Network("ladder", lambda d: True, _plain("ladder", levels=2)),
    Network("conditional", lambda d: d.treatment is not SWAP, _plain("conditional")),
    Network("autoregressive", lambda d: d.name == "ising", _plain("autoregressive")),
    Network(
        "encoder-free",
        lambda d: d.name == "mixtures",
        lambda d: yaml.safe_load(Path(__file__).parents[1].joinpath("examples/half_avae/train.yaml").read_text()),
    ),
    Network(
        "grace",
        lambda d: d.name == "perturbations",
        lambda d: yaml.safe_load(Path(__file__).parents[1].joinpath("examples/grace/train.yaml").read_text()),
    ),
    Network("checkpoint (burgess .pt)", lambda d: d.shape == (1, 64, 64), section=_checkpoint),
    Network("pythae folder", lambda d: len(d.shape) < 3 or d.shape[1] <= 32, section=_pythae),
    Network("diffusers AutoencoderKL", lambda d: _image(d) and d.shape[1] <= 32, section=_diffusers),
)


def run_cell(network: Network, data: Data, folder: Path) -> tuple[int, str]:
    """How many stages went through, and what stopped the next."""
    if data.prepare is not None:
        data.prepare(folder)
    done = 0
    section = dict(data.section)
    try:
        if network.name == "conditional":
            section["condition"] = [data.treatment["factor"]]
        if network.training is not None:
            made = network.training(data)
            model, objective = dict(made["model"]), made["objective"]  # type: ignore[call-overload]
            if network.name in ("encoder-free", "grace"):
                section = dict(made["data"])  # type: ignore[call-overload]
            training = {
                "spec": "causalvae/train-v1",
                "name": "weights",
                "model": model,
                "data": section,
                "objective": objective,
                "batch_size": 16,
                "steps": STEPS,
                "checkpoint_every": STEPS,
            }
            path = folder / "train.yaml"
            path.write_text(yaml.safe_dump(training), encoding="utf-8")
            causalvae.train(path, folder)
            source: dict[str, object] = {"source": "zoo", "weights": "weights.safetensors"}
        else:
            source = network.section(data, folder)
        done = 1
        path = folder / "run.yaml"
        path.write_text(yaml.safe_dump(_spec(source, section, data.treatment), sort_keys=False), encoding="utf-8")
        sites = causalvae.open(path).components
        done = 3
        first = next(site.name for site in sites if site.stage == "decoder" and site.is_leaf)
        text = path.read_text(encoding="utf-8").replace("FIRST", first)
        path.write_text(text, encoding="utf-8")
        outcome = causalvae.run(path, folder / "runs")
        owners = {estimate.owner for estimate in outcome.results.estimates}
        wanted = {Owner.intervention(name) for name in ("change", "sweep", "patch", "through")}
        done = 4 if wanted <= owners else 3
        if done == 4 and all(report.stat().st_size > 0 for report in outcome.reports.values()):
            done = 5
        return done, "" if done == 5 else f"no estimates of {', '.join(sorted(wanted - owners))}"
    except CausalVAEError as error:
        return done, f"{error.code} {error.message}"


def _spec(source: dict[str, object], data: dict[str, object], treatment: dict[str, object]) -> dict[str, object]:
    factors = [treatment["factor"]] if "factor" in treatment else []
    return {
        "spec": "causalvae/v1",
        "name": "cell",
        "model": {**source, "untrained": True},
        "data": {**data, "samples": 12},
        "graph": {"factors": factors, "attributes": {"level": {"readout": "mean"}}},
        "interventions": [
            {"name": "change", "input": treatment},
            {"name": "sweep", "latent": {"components": "latent[0]", "values": "resample", "pairs": 6}},
            {"name": "patch", "activation": {"components": "FIRST", "by": "layer", "from": "change", "pairs": 6}},
            {
                "name": "through",
                "mediation": {"treatment": "change", "mediators": ["latent[0]"], "outcomes": ["level"]},
            },
        ],
        "estimation": {"bootstrap": 20, "dowhy": False},
        "alignment": {"samples": 24, "pairs": 24},
        "execution": {"controls": False},
    }


def main() -> None:
    """Run the grid, or one network's row of it, and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", help="One network's name.")
    only = arguments.parse_args().only
    torch.set_num_threads(1)
    kept = Path(__file__).with_name("support.json")
    found: dict[str, dict[str, list[object]]] = json.loads(kept.read_text()) if kept.exists() else {}
    for network in NETWORKS:
        if only not in (None, network.name):
            continue
        found[network.name] = {}
        for data in DATA:
            if network.fits(data):
                with tempfile.TemporaryDirectory() as place:
                    done, said = run_cell(network, data, Path(place))
                print(f"{network.name} on {data.name}: {done}/5 {said}", flush=True)  # noqa: T201
                found[network.name][data.name] = [done, said]
        kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    Path(__file__).with_name("support.md").write_text(table(found), encoding="utf-8")


def table(found: dict[str, dict[str, list[object]]]) -> str:
    """The document."""
    rows = [
        f"| {network.name} | "
        + " | ".join(f"{cells[data.name][0]}/5" if data.name in cells else "·" for data in DATA)
        + " |"
        for network in NETWORKS
        if (cells := found.get(network.name)) is not None
    ]
    notes = [
        f"- {network} on {data}: {said}"
        for network, cells in found.items()
        for data, (_, said) in cells.items()
        if said
    ]
    text = [
        "# Networks and data that were run together",
        "",
        f"Made by `python docs/support_table.py` on {date.today().isoformat()}; every cell was run. The five stages "
        f"are: {', '.join(STAGES)} (of another library's network, the first is that its files were made here). "
        "`·` marks a pair that does not fit, or was not tried: other shapes, other kinds of data.",
        "",
        "| network | " + " | ".join(data.name for data in DATA) + " |",
        "|---" * (len(DATA) + 1) + "|",
        *rows,
        "",
        "Networks were trained for a dozen steps: this says what works, not how well. 3D Shapes, MPI3D, small NORB and "
        "Cars3D are too large to be made in full; their readers are tested on small files of the official layout "
        "(tests/data/files) and give the same kind of images as the sets above. MorphoMNIST, CelebA and `images` are "
        "small files in their official layouts.",
    ]
    if notes:
        text += ["", "What stopped:", "", *notes]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    main()
