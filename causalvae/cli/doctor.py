"""Information on the environment: versions, device, threads, optional parts."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib import metadata
from typing import Any

REQUIRED = (
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "networkx",
    "dowhy",
    "pgmpy",
    "pydantic",
    "ruamel.yaml",
    "safetensors",
    "jinja2",
    "pillow",
    "typer",
    "rich",
)
OPTIONAL = {
    "pygraphviz": "graph layouts by Graphviz",
    "ray": "runs on several machines",
    "diffusers": "VAEs of diffusion models",
    "pythae": "models trained with pythae",
    "tensorboard": "training runs as TensorBoard's scalars",
    "gadjid": "distances between causal graphs",
}


def examine() -> dict[str, Any]:
    """Collect information; missing required libraries are listed in ``problems``."""
    versions = {name: _version(name) for name in REQUIRED}
    problems = [f"{name} is not installed" for name, version in versions.items() if version is None]
    facts: dict[str, Any] = {
        "causalvae": _version("causalvae"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "libraries": versions,
        "optional": {name: importlib.util.find_spec(name) is not None for name in OPTIONAL},
    }
    if versions["torch"] is not None:
        facts["device"], facts["threads"] = _torch_facts()
        facts["weights"] = _weights()
        if not facts["weights"]:
            problems.append("no weights are installed with the package: builtin:// names will not be found")
    facts["problems"] = problems
    return facts


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _torch_facts() -> tuple[str, int]:
    import torch

    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.get_device_name(0)})", torch.get_num_threads()
    return "cpu", torch.get_num_threads()


def _weights() -> list[str]:
    from causalvae.spec.places import builtin_names

    return [f"builtin://{name}" for name in builtin_names()]
