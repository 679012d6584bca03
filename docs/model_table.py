"""Prints the README's table of shipped models from the weights' own metadata."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from safetensors import safe_open


def table() -> str:
    """A Markdown table, one row a model."""
    rows = [
        "| weights | objective | steps of 64 images | minutes, one core | reconstruction (nats) "
        "| active latents: KL (nats) |",
        "|---|---|---|---|---|---|",
    ]
    for path in sorted(Path(str(resources.files("causalvae.models") / "builtin")).glob("*.safetensors")):
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata()
        spec = json.loads(metadata["training_spec"])
        objective = ", ".join(f"{key} {value}" for key, value in spec["objective"].items() if key != "name")
        kl = {latent: value for latent, value in enumerate(json.loads(metadata["kl_nats"])) if value > 0.05}
        rows.append(
            f"| `builtin://{path.stem}` | {spec['objective']['name']}{f' ({objective})' if objective else ''} "
            f"| {spec['steps']:,} | {int(metadata['seconds']) / 60:.0f} "
            f"| {float(metadata['reconstruction_nats']):.1f} "
            f"| {', '.join(f'{latent}: {value:.1f}' for latent, value in kl.items())} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())  # noqa: T201
