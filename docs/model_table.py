"""Prints the tables of shipped networks, of docs/models.md and of the README, from the weights' own metadata."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from safetensors import safe_open

from causalvae.models.card import Carries, read_card
from causalvae.spec.training import Supervision

# What share of a factor's effect is most of it, and by how many latents it may be carried to be named.
_MOST, _FEW = 0.6, 3
BUILTIN = Path(str(resources.files("causalvae.models") / "builtin"))


def table(folder: Path = BUILTIN) -> str:
    """Two Markdown tables, of the training of each network and of its latents; a row for each weights file."""
    trained = [
        "| weights | network and data | objective | steps of images | minutes | reconstruction (nats) |",
        "|---|---|---|---|---|---|",
    ]
    latents = ["| weights | active latents: KL (nats) | what they carry |", "|---|---|---|"]
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata()
        spec = json.loads(metadata["training_spec"])
        options = ", ".join(f"{key} {value}" for key, value in spec["objective"].items() if key != "name")
        card = read_card(metadata, path.name)
        trained.append(
            f"| `builtin://{path.stem}` | {spec['model']['architecture']}, {_data(spec['data'])} | "
            f"{spec['objective']['name']}{f' ({options})' if options else ''}{_supervision(spec)} | {spec['steps']:,} "
            f"of {spec['batch_size']} | {int(metadata['seconds']) / 60:.0f} | "
            f"{float(metadata['reconstruction_nats']):.1f} |"
        )
        latents.append(
            f"| `builtin://{path.stem}` | {', '.join(f'z{latent} {card.kl[latent]:.1f}' for latent in card.active)} | "
            f"{card.in_words('z{}') or 'not recorded'} |"
        )
    return "\n".join([*trained, "", *latents])


def brief_table(folder: Path = BUILTIN) -> str:
    """The README's table: what each network is, in few words."""
    rows = ["| weights | data | reconstruction (nats) | active latents | what they carry |", "|---|---|---|---|---|"]
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata()
        card = read_card(metadata, path.name)
        data = _data(json.loads(metadata["training_spec"])["data"])
        nats = float(metadata["reconstruction_nats"])
        carried = "; ".join(_brief(each) for each in card.carries) or "not recorded"
        rows.append(f"| `builtin://{path.stem}` | {data} | {nats:.1f} | {len(card.active)} | {carried} |")
    return "\n".join(rows)


def _brief(carries: Carries) -> str:
    """The fewest latents that carry most of a factor's effect."""
    if not carries.shares:
        return f"{carries.factor}: nothing"
    order = sorted(range(len(carries.shares)), key=lambda latent: -carries.shares[latent])
    for count in range(1, _FEW + 1):
        if sum(carries.shares[latent] for latent in order[:count]) >= _MOST:
            return f"{carries.factor}: {', '.join(f'z{latent}' for latent in order[:count])}"
    return f"{carries.factor}: spread"


def _supervision(spec: dict[str, Any]) -> str:
    """Which latents were supervised in training, if any were."""
    section = spec.get("supervision")
    return f"; supervised: {Supervision.model_validate(section).in_words('z{}')}" if section else ""


def _data(section: dict[str, str]) -> str:
    """The data's source, with the world of what is drawn from a structural model."""
    return " ".join([section["source"], *([section["world"]] if section["source"] == "scm" else [])])


if __name__ == "__main__":
    print(table(), brief_table(), sep="\n\n")  # noqa: T201
