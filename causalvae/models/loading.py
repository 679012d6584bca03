"""From a spec's model section to a captured network."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from causalvae.digest import digest
from causalvae.models.capturing import capture_network, find_components
from causalvae.models.check import check_shape
from causalvae.models.compiled import original_of
from causalvae.models.components import ComponentMap
from causalvae.models.function_check import check_function
from causalvae.models.hooked import HookedNetwork
from causalvae.models.layout import allow_any_layout, lay_out
from causalvae.models.network import AnalysedNetwork
from causalvae.models.operators import OperatorGraph
from causalvae.models.probe_inputs import PROBES, probe_arguments, stand_in_inputs
from causalvae.models.program import Program
from causalvae.models.quiet import avoid_fused_attention
from causalvae.models.sources import open_source
from causalvae.models.vae import VAE, Part
from causalvae.spec.model_section import ModelSection


@dataclass(frozen=True)
class Model:
    """A network ready for analysis.

    Parameters
    ----------
    vae : VAE
        In evaluation mode, gradients off.
    network : AnalysedNetwork
        The function that was captured.
    graph : Program
        Its operators, or the network itself with hooks where it has no operator graph.
    components : ComponentMap
        Its addressable components.
    samples_latent : bool
        Whether the decoder receives a sample of the posterior rather than its mean.
    facts : dict
        Facts for the report.
    probes : Tensor, shape (n, *input_shape)
        The samples used to capture it.
    unused : tuple of str
        Names of the parameters that neither encoding nor decoding uses.
    """

    vae: VAE
    network: AnalysedNetwork
    graph: Program
    components: ComponentMap
    samples_latent: bool
    facts: dict[str, Any]
    probes: Tensor
    unused: tuple[str, ...] = ()

    def __repr__(self) -> str:
        parameters = sum(value.numel() for value in self.vae.parameters())
        return f"Model({len(self.components.sites)} components, {parameters:,} parameters)"


def load_model(
    section: ModelSection,
    folder: Path,
    input_shape: tuple[int, ...] = (1, 64, 64),
    inputs: Tensor | None = None,
    condition: int = 0,
) -> Model:
    """Load and capture the network of a spec, and list its components.

    Parameters
    ----------
    section : ModelSection
        The spec's model section.
    folder : Path
        Relative paths start here: the spec file's folder.
    input_shape : tuple of int
        Of the data, for networks that do not declare their input shape.
    inputs : Tensor, shape (n, *input_shape), optional
        Samples of the data, used to probe and capture the network; `stand_in_inputs` if omitted.
    condition : int
        Number of the last channels (columns) that hold a condition.
    """
    opened = open_source(section, folder, input_shape, inputs, condition)
    told = {
        "source": section.kind,
        "network": section.label,
        **section.places,
        **opened.facts,
        **section.declared,
    }
    keys = section.model_dump(mode="json", exclude={*section.PLACES, "untrained", "out_of_distribution"})
    model_digest = opened.digest or digest([opened.identity, keys])
    model = assemble(opened.vae, section.latent == "sample", model_digest, told, inputs)
    return replace(model, unused=opened.unused)


def assemble(
    vae: VAE, samples_latent: bool, model_digest: str, facts: dict[str, Any], inputs: Tensor | None = None
) -> Model:
    """Capture a VAE that is already in memory.

    Parameters
    ----------
    vae : VAE
    samples_latent : bool
        Whether the decoder receives a sample of the posterior.
    model_digest : str
        Content hash of the weights and of how they are read.
    facts : dict
        Facts for the report.
    inputs : Tensor, shape (n, *input_shape), optional
        Samples of the data, used to probe the network; `stand_in_inputs` if omitted.

    Raises
    ------
    CausalVAEError
        CV104 if it does not take such inputs; CV110 if it is not a function of each input alone or cannot be captured;
        CV111 if it is compiled and its original cannot be found.
    """
    original = original_of(vae)
    if not isinstance(original, VAE):
        raise TypeError(f"{type(original).__name__} is not a VAE")
    if original is not vae:
        vae, facts = original, {**facts, "compiled": "by torch.compile; the network before it was captured"}
    vae.eval()
    for parameter in vae.parameters():
        parameter.requires_grad_(False)
    network = AnalysedNetwork(vae, samples_latent)
    if inputs is None:
        inputs = stand_in_inputs(vae.input_shape)
    check_shape(vae, inputs)
    avoid_fused_attention(network)
    check_function(network, inputs)
    example, others = probe_arguments(vae, inputs)
    # Convolutions over channels-last weights run about 2.5 times as fast on a CPU (docs/decisions.md).
    lies_as_wanted = lay_out(network, example)
    captured = capture_network(network, example, network.outputs, others)
    program = captured.program
    if isinstance(program, HookedNetwork):
        # Such a network may modify some inputs in place although the probes were not modified.
        vae.writing = frozenset(get_args(Part))
    if isinstance(program, OperatorGraph) and not lies_as_wanted:
        program = allow_any_layout(program)
    facts = {
        **facts,
        "latents": vae.latent_dim,
        "latent passed on": "posterior sample" if samples_latent else "posterior mean",
        "posterior layout": vae.layout,
        **_variant_facts(vae),
        "parameters": sum(parameter.numel() for parameter in vae.parameters()),
        "captured by": captured.said,
        "digest": model_digest,
    }
    components = replace(
        find_components(program, vae.latent_dim, model_digest),
        captured_by=captured.said,
        groups=tuple((name, *bounds) for name, bounds in vae.groups.items()),
    )
    return Model(vae, network, program, components, samples_latent, facts, probes=inputs[:PROBES])


def _variant_facts(vae: VAE) -> dict[str, Any]:
    """Facts about a latent layer, groups of latents and a decoder that reads the input."""
    facts: dict[str, Any] = {}
    if vae.latent_layer is not None:
        facts["latent layer"] = type(vae.latent_layer).__name__
    if vae.groups:
        facts["groups of latents"] = ", ".join(f"{name} {start}:{stop}" for name, (start, stop) in vae.groups.items())
    if vae.decoder_reads_input:
        facts["the decoder reads"] = "the latent and the input"
    return facts


def randomise(model: Model, seed: int) -> Model:
    """The same network with random weights, as a control.

    Each layer is re-initialised by its own ``reset_parameters``.
    """
    vae = copy.deepcopy(model.vae)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in vae.modules():
            reset = getattr(layer, "reset_parameters", None)
            if callable(reset):
                reset()
    vae.eval()
    network = AnalysedNetwork(vae, model.samples_latent)
    return replace(model, vae=vae, network=network, graph=model.graph.with_weights_of(network))
