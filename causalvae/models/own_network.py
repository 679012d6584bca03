"""Reads a user's network as a VAE: finds its parts and interprets their return values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from causalvae.boundary import is_out_of_memory
from causalvae.digest import digest
from causalvae.errors import CausalVAEError, first_line
from causalvae.models.compiled import original_of
from causalvae.models.forward_watch import ConstantNoise, Watched, chain_to, same, watch_forward
from causalvae.models.network_part import (
    DECODES,
    ENCODES,
    Branch,
    Condition,
    Link,
    NetworkPart,
    ReadCondition,
    find_path,
    target_of,
)
from causalvae.models.opened import Opened
from causalvae.models.purity import leaving_no_trace
from causalvae.models.quiet import quiet
from causalvae.models.returned import Leaf, Steps, describe, leaves_of, take
from causalvae.models.touched import unused_parameters, watch_reads
from causalvae.models.unregistered import as_tree, find_unregistered
from causalvae.models.vae import VAE, PosteriorLayout, PosteriorSecond, deviation_of
from causalvae.models.variants.quantiser import Quantiser, make_quantiser
from causalvae.models.weights import Weights
from causalvae.spec.model_section import OutputSection, PosteriorSection

if TYPE_CHECKING:
    from causalvae.models.kinds.checkpoint import CheckpointModel
    from causalvae.models.kinds.python import PythonModel

_ROWS = 4
_MOST_NAMES = 8
# Usual names of a codebook, for networks whose forward() does not show it.
_NAMES = ("vq", "vq_layer", "vq_vae", "vector_quantizer", "quantizer", "quantiser", "quantize", "codebook")
_QUANTISERS = (*_NAMES, *(f"_{name}" for name in _NAMES))
_OUTPUTS = ("recon", "reconstruction", "recon_x", "x_recon", "x_hat", "xhat", "sample", "output", "mean", "mu")
_CONDITIONS = ("y", "c", "cond", "condition", "label", "labels", "class_label", "classes", "context")
_SECONDS: tuple[PosteriorSecond, ...] = ("logvar", "std", "log_std", "var")


@torch.no_grad()
def read_own(network: nn.Module, section: PythonModel | CheckpointModel, inputs: Tensor, condition: int = 0) -> Opened:
    """Find the parts of a user's network and interpret their return values.

    Parameters
    ----------
    network : nn.Module
        Not modified.
    section : PythonModel or CheckpointModel
    inputs : Tensor, shape (n, *input_shape)
        Samples of the data.
    condition : int
        Number of the last channels (columns) that hold a condition.

    Returns
    -------
    Opened
        Its `identity` is the content hash of the parameters and buffers, its `facts` say how the network was read.

    Raises
    ------
    CausalVAEError
        CV119 if a part is not found, CV130 if it does not take its input, CV140 if the network's forward() contradicts
        the reading, CV141 if the return value of a part cannot be interpreted, CV142 for a required argument without a
        value.
    """
    # `check_purity` needs a network that has not been run.
    with leaving_no_trace(network), quiet():
        original = original_of(network)
        read = _read(original, section, inputs, condition)
    if original is network:
        return read
    return replace(read, facts={**read.facts, "compiled": "by torch.compile; the network before it was captured"})


def _read(network: nn.Module, section: PythonModel | CheckpointModel, inputs: Tensor, condition: int) -> Opened:
    mode = network.training
    network.eval()
    low, high = section.input_range
    x = inputs.float().repeat(_ROWS, *(1 for _ in inputs.shape[1:]))[:_ROWS]
    x = x if (low, high) == (0.0, 1.0) else x * (high - low) + low
    reader = _Reader(network, section, x, condition)
    vae = reader.read()
    touched = watch_reads(lambda: _run(vae, x))
    unused = unused_parameters(network, touched)
    called = [module for module in touched.modules if not isinstance(module, NetworkPart | ReadCondition)]
    beside = find_unregistered(network, called)
    if beside:
        reader.facts["not registered"] = ", ".join(beside)
        vae.beside = as_tree(beside)
    elif not reader.is_sure:
        reader.check_idle_heads(unused)
    network.train(mode)
    found = (None if beside else reader.plain(vae, touched.reads)) or vae
    if isinstance(found.latent_layer, NetworkPart):
        # Only now, so that what the network's own layer reads is not listed as unused.
        found.latent_layer = reader.codebook(found.latent_layer, found) or found.latent_layer
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    if vae.beside is not None:
        state |= {f"beside.{name}": value.detach().cpu() for name, value in vae.beside.state_dict().items()}
    identity = Weights(state, {}, "").digest
    if reader.is_activated:
        # The section is recorded alike with and without its default, and here they differ.
        identity = digest([identity, "the mean of a distribution is activated"])
    return Opened(found.train(mode), identity, reader.facts, unused)


def _run(vae: VAE, scaled: Tensor) -> object:
    z = vae.pass_on(vae.split(vae.encoder(scaled.clone())).mean)
    return vae.decoder(z, scaled.clone()) if vae.decoder_reads_input else vae.decoder(z)


@dataclass(frozen=True)
class _Encoding:
    """How the return value of the encoding part is read as a posterior, and the calls after it."""

    branches: tuple[Branch, ...]
    layout: PosteriorLayout
    second: PosteriorSecond = "logvar"
    between: tuple[Link, ...] = ()


class _Reader:
    """Finds the structure of a network by running it on samples of the data.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    section : PythonModel or CheckpointModel
    x : Tensor, shape (n, *input_shape)
        Samples as the encoder receives them.
    condition : int
        Number of the last channels (columns) that hold a condition.
    """

    def __init__(self, network: nn.Module, section: PythonModel | CheckpointModel, x: Tensor, condition: int) -> None:
        self.network = network
        self.section = section
        self.x = x
        self.latents = section.latent_dim or 0
        self.posterior = section.posterior or PosteriorSection()
        # For a VAE of this package the modules are used: its methods also scale and activate.
        own = isinstance(network, VAE)
        self.encode = find_path(network, section.encoder, ENCODES[1:] if own else ENCODES, "encoder")
        self.decode = find_path(network, section.decoder, DECODES[1:] if own else DECODES, "decoder")
        outputs = x.shape[1] - condition
        self.condition = Condition(outputs, section.input_range, x.ndim > 2) if condition else None
        self.output_shape = (outputs, *x.shape[2:])
        self.facts = {"encoder": self.encode, "decoder": self.decode}
        # Whether forward(), a pair of tensors or the spec determines how the posterior is read.
        self.is_sure = True
        # Whether the spec asks for an activation of the mean of a distribution, which has none by default.
        self.is_activated = False

    def read(self) -> VAE:
        """The network as a VAE."""
        encoder = self._encoder()
        encoding = self._encoding(encoder)
        encoder = NetworkPart(
            self.network,
            encoder.first,
            encoding.branches,
            condition=encoder.reads,
            splits=encoder.splits,
            passes=encoder.passes,
        )
        parts = encoder(self.x.clone())
        mean = parts if isinstance(parts, Tensor) else parts[0]
        if encoding.layout == "interleaved":
            mean = mean[:, 0::2]
        elif encoding.layout == "chunk":
            mean = mean.chunk(2, dim=1)[0]
        layer, before = self._layer(encoding, mean)
        decoder, is_distribution = self._decoder(mean if layer is None else layer(mean.clone()), before)
        output = self.section.output or OutputSection()
        self.is_activated = is_distribution and output.activates(is_distribution) != "none"
        return VAE(
            encoder,
            decoder,
            latent_dim=self.latents,
            input_shape=tuple(self.x.shape[1:]),
            layout=encoding.layout,
            activation=output.activates(is_distribution),
            likelihood=output.likelihood,
            second=encoding.second,
            input_range=self.section.input_range,
            output_shape=self.output_shape,
            latent_layer=layer,
            decoder_reads_input=decoder.reads is not None,
            network=self.network,
        )

    def check_idle_heads(self, unused: Sequence[str]) -> None:
        """Raise CV140 if the posterior is read from one tensor while unused layers could be its heads."""
        weights = {name: value for name, value in self.network.named_parameters() if name in unused and value.ndim > 1}
        heads = [name for name, value in weights.items() if len(value) == self.latents]
        heads = heads if len(heads) > 1 else [name for name, value in weights.items() if len(value) == 2 * self.latents]
        if not heads:
            return
        raise CausalVAEError(
            "CV140",
            f"{self.encode} returns one tensor, and neither part uses "
            f"{' and '.join(name.rpartition('.')[0] or name for name in heads[:_MOST_NAMES])}: mean and log-variance "
            "may be theirs. forward() cannot be run on the inputs alone to see.",
            "Give the network a method encode(x) that returns mean and log-variance, or declare posterior.layout "
            "(chunk, interleaved or point) if the one tensor is all.",
            "model.posterior",
        )

    def _layer(self, encoding: _Encoding, mean: Tensor) -> tuple[NetworkPart | None, tuple[Link, ...]]:
        """The calls between the parts, as a latent layer or as the first calls of the decoding part.

        A codebook, or the calls that the spec declares, form a latent layer if they preserve the shape of the latent.
        Layers after the sample of a Gaussian posterior belong to the decoding part.
        """
        if not encoding.between:
            return None, ()
        first, *rest = encoding.between
        layer = NetworkPart(self.network, replace(first, steps=()), (Branch(first.steps, tuple(rest)),))
        given = layer(mean.clone())
        is_layer = encoding.layout == "point" or self.section.between is not None
        if not is_layer or not isinstance(given, Tensor) or given.shape != mean.shape:
            return None, encoding.between
        self.facts["between the parts"] = ", ".join(link.path for link in encoding.between)
        return layer, ()

    def codebook(self, layer: NetworkPart, vae: VAE) -> Quantiser | None:
        """The latent layer as a codebook whose assignment has an address, if it does what one of the network's does.

        It takes the entry at the least squared distance, at every position, and is the same bit for bit. Its codebook
        is a matrix of the network.
        """
        mean = vae.split(vae.encoder(self.x.clone())).mean
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0)) * mean.std()
        given = [mean, mean + noise]
        returned = [layer(value.clone()) for value in given]
        for matrix in _tensors(self.network):
            for codes in (matrix, matrix.mT) if matrix.ndim == 2 and matrix.is_floating_point() else ():
                if codes.shape[1] != mean.shape[1]:
                    continue
                for rounds in (True, False):
                    made = make_quantiser(codes, rounds)
                    if all(_equal(made(value), own) for value, own in zip(given, returned, strict=True)):
                        self.facts["codes"] = str(len(codes))
                        return made
        return None

    def plain(self, vae: VAE, reads: Callable[[Tensor], bool]) -> VAE | None:
        """The VAE made of the modules themselves, if they use nothing else of the network; None otherwise."""
        parts = [target_of(self.network, path) for path in (self.encode, self.decode)]
        modules = [part for part in parts if isinstance(part, nn.Module)]
        if len(modules) < len(parts) or vae.latent_layer is not None:
            return None
        encoder, decoder = vae.encoder, vae.decoder
        if not isinstance(encoder, NetworkPart) or not isinstance(decoder, NetworkPart):
            raise TypeError("the parts are the network's own modules already")
        if any(part.first.flat or part.reads or part.calls_more for part in (encoder, decoder)):
            return None
        if [branch.steps for branch in encoder.branches] not in ([()], [(0,), (1,)]):
            return None
        value = decoder.call(vae.pass_on(vae.split(encoder(self.x.clone())).mean))
        if not isinstance(value, Tensor) or tuple(value.shape[1:]) != self.output_shape:
            return None
        inside = {id(tensor) for module in modules for tensor in _tensors(module)}
        if any(reads(tensor) and id(tensor) not in inside for tensor in _tensors(self.network)):
            return None
        return VAE(
            modules[0],
            modules[1],
            latent_dim=vae.latent_dim,
            input_shape=vae.input_shape,
            layout=vae.layout,
            activation=vae.activation,
            likelihood=vae.likelihood,
            second=vae.second,
            input_range=vae.input_range,
            output_shape=vae.output_shape,
        )

    def _encoder(self) -> NetworkPart:
        """The encoding part in the first form that runs, with any return value."""
        wants = self._wants_condition(self.encode)
        tried = [
            NetworkPart(self.network, Link(self.encode, flat), condition=given, splits=given is not None)
            for given in (self._conditions() if wants else [None])
            for flat in (False, True)
        ]
        if self.condition is not None and not wants:
            # The decoding part alone takes the condition.
            tried += [
                NetworkPart(self.network, Link(self.encode, flat), condition=self.condition, splits=True, passes=False)
                for flat in (False, True)
            ]
        shape = f"inputs of {_sizes(self.x)}"
        if self.condition is not None:
            shape += f", nor of {_sizes(self.x[:, : self.condition.channels])} without the condition"
        part = _first_that_runs(tried, lambda part: part.call(self.x.clone()), self.encode, shape, self._reshape())
        return self._with_a_class(part)

    def _reshape(self) -> str:
        """What may be wrong with data whose inputs a network does not take."""
        if len(self.output_shape) == 1:
            return "Choose the columns that the network was trained on with data.inputs, in the same order"
        if len(self.output_shape) == 2:
            return "Choose sounds of the length and the number of channels that the network was trained on"
        return (
            "Choose data of the shape that the network was trained on (images of a folder: data.size, and `colour: "
            "false` for one channel; arrays: data.layout)"
        )

    def _decoder(self, z: Tensor, before: tuple[Link, ...]) -> tuple[NetworkPart, bool]:
        """The decoding part, preceded by the calls `before`, and whether it returns a distribution."""
        wants = self._wants_condition(self.decode)
        tried = [
            NetworkPart(self.network, Link(self.decode), condition=given, before=before)
            for given in (self._conditions() if wants else [None])
        ]
        part = _first_that_runs(
            tried, lambda part: part.call(z.clone(), self.x), self.decode, f"latents of {_sizes(z)}", self._reshape()
        )
        self._with_a_class(part)
        returned = part.call(z.clone(), self.x)
        leaf = self._output_of(returned)
        given, size = leaf.value[0], self.x[0, : self.output_shape[0]].numel()
        shape = self.output_shape if given.numel() == size and tuple(given.shape) != self.output_shape else None
        return (
            NetworkPart(self.network, part.first, (Branch(leaf.steps),), shape, part.reads, before=before),
            _is_distribution(returned, leaf.steps),
        )

    def _output_of(self, returned: Any) -> Leaf:
        """The reconstruction in the return value of the decoding part."""
        found = [leaf for leaf in leaves_of(returned) if leaf.value.ndim > 1 and len(leaf.value) == len(self.x)]
        size = self.x[0, : self.output_shape[0]].numel()
        fitting = [leaf for leaf in found if leaf.value[0].numel() == size]
        named = [leaf for leaf in fitting if leaf.name.lower() in _OUTPUTS]
        if not found:
            raise CausalVAEError(
                "CV141",
                f"{self.decode} returns {describe(returned)}, which contains no tensor with a row for each input.",
                "Let it return the reconstruction: a tensor, a distribution, or a tuple or dictionary that holds it.",
                "model.decoder",
            )
        return (named or fitting or found)[0]

    def _wants_condition(self, path: str) -> bool:
        """Whether a part takes a condition as its second argument; CV142 for a required one without a value."""
        target = target_of(self.network, path)
        try:
            parameters = list(
                inspect.signature(target.forward if isinstance(target, nn.Module) else target).parameters.values()
            )
        except (TypeError, ValueError):
            return False
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        further = [parameter for parameter in parameters[1:] if parameter.kind in kinds]
        required = [parameter for parameter in further if parameter.default is parameter.empty]
        if required and (self.condition is None or len(required) > 1):
            raise CausalVAEError(
                "CV142",
                f"{path} takes {', '.join(parameter.name for parameter in required)} in addition to its first "
                "argument, and "
                + ("the data have no condition." if self.condition is None else "the condition is one argument."),
                "If it is a condition, name the factors that it holds under data: `condition: [NAME]`. For any other "
                "argument give it a default value, or name a method that takes the input alone.",
                "model",
            )
        return bool(required) or (
            self.condition is not None and bool(further) and further[0].name.lower() in _CONDITIONS
        )

    def _conditions(self) -> list[Condition]:
        return [] if self.condition is None else [self.condition, replace(self.condition, as_class=True)]

    def _with_a_class(self, part: NetworkPart) -> NetworkPart:
        """The part; CV142 if it takes the number of a class and the condition is not the one-hot vector of one."""
        if part.reads is None or not part.passes:
            return part
        given = replace(part.reads, as_class=False).of(self.x)
        width = given.shape[1]
        is_one_hot = width > 1 and bool(((given == 0) | (given == 1)).all() and (given.sum(1) == 1).all())
        if part.reads.as_class and not is_one_hot:
            raise CausalVAEError(
                "CV142",
                f"{part.first.path} takes the number of a class, and the condition is not one class but "
                + ("a number between 0 and 1." if width == 1 else f"{width} numbers between 0 and 1."),
                "Name one factor under data.condition, and declare it as a class under data.factors: "
                "{NAME: {kind: categorical}}. A column of whole numbers is ordinal without this.",
                "data.condition",
            )
        kind = "the number of the class" if part.reads.as_class else "a one-hot vector" if is_one_hot else None
        self.facts["condition as"] = kind or f"{width} number{'s'[: width > 1]} between 0 and 1"
        return part

    def _encoding(self, encoder: NetworkPart) -> _Encoding:
        """How the return value of the encoding part is read, using the record of forward() if there is one."""
        with torch.random.fork_rng(devices=[]):
            with ConstantNoise(0.0):
                returned = encoder.call(self.x.clone())
            with ConstantNoise(1.0):
                noisy = encoder.call(self.x.clone())
        leaves = [leaf for leaf in leaves_of(returned) if self._is_row(leaf.value)]
        # Values that change with the noise are samples.
        moving = {leaf.steps for leaf in leaves_of(noisy) if self._is_row(leaf.value)} - {
            leaf.steps for leaf in leaves if same(take(noisy, leaf.steps), leaf.value)
        }
        leaves = [leaf for leaf in leaves if leaf.steps not in moving] or leaves
        if not leaves:
            raise CausalVAEError(
                "CV141",
                f"{self.encode} returns {describe(returned)}, which contains no tensor with a row for each input.",
                "Let it return mean and log-variance: two tensors, one tensor that holds both, or a distribution.",
                "model.encoder",
            )
        passes = self._watch()
        if self.section.between is not None:
            found = self._by_names(leaves, returned)
            return replace(found, between=self._declared_between(self._mean_of(found, returned)))
        if passes is None:
            found = self._by_names(leaves, returned)
            return replace(found, between=self._usual_quantiser(found, returned))
        return self._as_forward_shows(leaves, returned, passes)

    def _is_row(self, value: Tensor) -> bool:
        return value.ndim > 1 and len(value) == len(self.x) and value.is_floating_point()

    def _watch(self) -> tuple[Watched, Watched] | None:
        """Passes of forward() with noise 0 and 1, in training mode if it draws samples only there."""
        found = None
        for training in (False, True):
            passes = [self._pass(noise, training) for noise in (0.0, 1.0)]
            if passes[0] is None or passes[1] is None:
                break
            if found is None or not same(passes[0].latent, passes[1].latent):
                found = passes[0], passes[1]
            if not same(passes[0].latent, passes[1].latent):
                break
        return found

    def _pass(self, noise: float, training: bool) -> Watched | None:
        given: list[tuple[Tensor, ...]] = [(self.x,), (self.x.flatten(1),)]
        if self.condition is not None:
            held = self.x[:, : self.condition.channels]
            for condition in self._conditions():
                given += [(value, condition.of(self.x)) for value in (held, held.flatten(1))]
        for arguments in given:
            found = watch_forward(self.network, self.encode, self.decode, arguments, noise, training)
            if found is not None:
                return found
        return None

    def _declared_between(self, value: Tensor) -> tuple[Link, ...]:
        links = []
        for declared in self.section.between or ():
            path = find_path(self.network, declared, (), "between")
            returned = target_of(self.network, path)(value.clone())
            leaves = [leaf for leaf in leaves_of(returned) if self._is_row(leaf.value)]
            if not leaves:
                raise CausalVAEError(
                    "CV141",
                    f"{path} returns {describe(returned)}, which contains no tensor with a row for each input.",
                    "Name a method or a module that returns the input of the decoding part.",
                    "model.between",
                )
            leaf = next((leaf for leaf in leaves if leaf.value.shape == value.shape), leaves[0])
            links.append(Link(path, steps=leaf.steps))
            value = leaf.value
        return tuple(links)

    def _usual_quantiser(self, found: _Encoding, returned: Any) -> tuple[Link, ...]:
        """A codebook under a usual name, if the encoding part is deterministic."""
        if found.layout != "point":
            return ()
        value = take(returned, found.branches[0].steps)
        for path in _QUANTISERS:
            module = getattr(self.network, path, None)
            if isinstance(module, nn.Module) and not isinstance(module, nn.Embedding):
                steps = self._steps_like(path, value)
                if steps is not None:
                    return (Link(path, steps=steps),)
        return ()

    def _steps_like(self, path: str, value: Tensor) -> Steps | None:
        """Path of a tensor with the shape of `value` in the return value of a call on it."""
        try:
            returned = target_of(self.network, path)(value.clone())
        except Exception as error:  # whatever a module raises for a value that it does not take
            if is_out_of_memory(error):
                raise
            return None
        return next((leaf.steps for leaf in leaves_of(returned) if leaf.value.shape == value.shape), None)

    def _by_names(self, leaves: Sequence[Leaf], returned: Any) -> _Encoding:
        """The reading without a record of forward(): by names, shapes and the spec."""
        pair = self._pair(leaves)
        if pair is not None:
            mean, second = pair
            return _Encoding((Branch(mean.steps), Branch(second.steps)), "heads", self._second_of(second))
        fitting = [leaf for leaf in leaves if leaf.value.shape[1] in (self.latents, 2 * self.latents)]
        leaf = (fitting or leaves)[0]
        layout = self.posterior.layout
        if layout == "auto":
            self.is_sure = False
            layout = "point" if leaf.value.shape[1] == self.latents else "chunk"
        elif layout == "heads":
            raise CausalVAEError(
                "CV130",
                f"{self.encode} returns {describe(returned)}, and a posterior read as heads is two tensors of one "
                "shape.",
                "Check model.posterior.layout and model.latent_dim.",
                "model",
            )
        return _Encoding((Branch(leaf.steps),), layout, self._second_of(None))

    def _pair(self, leaves: Sequence[Leaf]) -> tuple[Leaf, Leaf] | None:
        """Mean and second parameter, if the encoding part returns both."""
        if self.posterior.layout == "point":
            return None
        means = [leaf for leaf in leaves if leaf.is_mean]
        others = [leaf for leaf in leaves if leaf.second is not None]
        for mean in means:
            for other in others:
                if other.value.shape == mean.value.shape:
                    return mean, other
        alike = [leaf for leaf in leaves if leaf.value.shape[1] == self.latents]
        alike = alike if len(alike) > 1 else list(leaves)
        for place, mean in enumerate(alike):
            for other in alike[place + 1 :]:
                if other.value.shape == mean.value.shape:
                    return mean, other
        return None

    def _second_of(self, leaf: Leaf | None) -> PosteriorSecond:
        declared = self.posterior.second
        if declared != "auto":
            return declared
        return (None if leaf is None else leaf.second) or "logvar"

    def _as_forward_shows(self, leaves: Sequence[Leaf], returned: Any, passes: tuple[Watched, Watched]) -> _Encoding:
        """The reading under which forward() passes the posterior mean to the decoding part."""
        still, noisy = passes
        read = self._by_names(leaves, returned)
        # Candidates for the mean: the one that was read, then all other returned values.
        starts = [(read, self._mean_of(read, still.encoded))]
        for leaf in leaves:
            value = take(still.encoded, leaf.steps)
            others = [other for other in leaves if other.steps != leaf.steps and other.value.shape == leaf.value.shape]
            if others and self.posterior.layout != "point":
                swapped = (Branch(leaf.steps), Branch(others[0].steps))
                starts.append((_Encoding(swapped, "heads", self._second_of(others[0])), value))
            if self.posterior.layout == "auto" and value.shape[1] == 2 * self.latents:
                starts.append((_Encoding((Branch(leaf.steps),), "interleaved", self._second_of(None)), value[:, 0::2]))
            starts.append((_Encoding((Branch(leaf.steps),), "point"), value))
        self.is_sure = True
        for encoding, mean in starts:
            chain = chain_to(self.network, still, still.latent, [mean])
            if chain is None:
                continue
            links = chain[1]
            if encoding.layout != "point":
                return self._with_second(replace(encoding, between=links), noisy, links)
            if not same(still.latent, noisy.latent):
                found = self._heads(encoding, links, noisy)
                if found is not None:
                    return found
                continue
            # Without noise, all calls in between belong to the encoder except the last one, the codebook.
            (branch,) = encoding.branches
            return _Encoding((Branch(branch.steps, links[:-1]),), "point", between=links[-1:])
        for leaf in leaves:
            found = self._one_head(leaf, passes)
            if found is not None:
                return found
        if read.layout == "heads" and still.latent.shape != starts[0][1].shape:
            # Several samples per input, or a condition in addition to the latent: the mean cannot be compared.
            return read
        raise CausalVAEError(
            "CV140",
            f"forward() passes another value to {self.decode} than the mean that is read from what {self.encode} "
            f"returns ({describe(returned)}).",
            "Give the network a method encode(x) that returns mean and log-variance, and decode(z) that takes what "
            "forward() passes on, or name such methods as model.encoder and model.decoder. What forward() itself "
            "computes between the two, such as rounding to a codebook, must be a module or method of its own, which "
            "model.between names.",
            "model",
        )

    def _mean_of(self, read: _Encoding, returned: Any) -> Tensor:
        value = take(returned, read.branches[0].steps)
        if read.layout == "chunk":
            return value.chunk(2, dim=1)[0]
        return value[:, 0::2] if read.layout == "interleaved" else value

    def _with_second(self, encoding: _Encoding, noisy: Watched, links: tuple[Link, ...]) -> _Encoding:
        """The reading with the second parameter as forward() uses it."""
        mean = self._mean_of(encoding, noisy.encoded)
        sample = noisy.latent
        if links:
            sample = next(event.given[0] for event in noisy.between if event.path == links[0].path)
        if sample.shape != mean.shape or same(sample, mean):
            return encoding
        if encoding.layout == "heads":
            second = take(noisy.encoded, encoding.branches[1].steps)
        else:
            value = take(noisy.encoded, encoding.branches[0].steps)
            second = value.chunk(2, dim=1)[1] if encoding.layout == "chunk" else value[:, 1::2]
        kinds = [kind for kind in _SECONDS if _near(deviation_of(second, kind), sample - mean)]
        declared = self.posterior.second
        if declared == "auto" and kinds:
            return replace(encoding, second=encoding.second if encoding.second in kinds else kinds[0])
        if kinds and declared not in kinds:
            raise CausalVAEError(
                "CV140",
                f"forward() draws samples with another standard deviation than `second: {declared}` gives.",
                f"Write posterior: {{second: {kinds[0]}}}, with which they agree.",
                "model.posterior",
            )
        if declared == "auto":
            raise CausalVAEError(
                "CV140",
                f"forward() draws samples with a standard deviation that is not a known function of what {self.encode} "
                "returns in addition to the mean.",
                "Declare posterior: {second: logvar}, var, std or log_std, or let it return the log-variance.",
                "model.posterior",
            )
        return encoding

    def _one_head(self, leaf: Leaf, passes: tuple[Watched, Watched]) -> _Encoding | None:
        """Mean and second parameter as the halves of what one layer returns, which forward() calls after the part."""
        still, noisy = passes
        declared = self.posterior
        if declared.layout not in ("auto", "chunk"):
            return None
        for event in still.between:
            for head in leaves_of(event.returned):
                # One channel has no second half.
                if head.value.ndim < 2 or not same(head.value.chunk(2, dim=1)[0], still.latent):
                    continue
                chain = chain_to(self.network, still, head.value, [take(still.encoded, leaf.steps)])
                value = None if chain is None or not chain[1] else _follow(chain[1], noisy)
                if chain is None or value is None or value.shape[1] != 2 * still.latent.shape[1]:
                    continue
                mean, second = value.chunk(2, dim=1)
                kinds = [kind for kind in _SECONDS if _near(deviation_of(second, kind), noisy.latent - mean)]
                if kinds and declared.second in ("auto", *kinds):
                    self.facts["heads"] = chain[1][-1].path
                    return _Encoding((Branch(leaf.steps, chain[1]),), "chunk", kinds[0])
        return None

    def _heads(self, encoding: _Encoding, links: tuple[Link, ...], noisy: Watched) -> _Encoding | None:
        """Mean and second parameter as outputs of layers that forward() calls after the encoding part."""
        (branch,) = encoding.branches
        if not links:
            return None
        source = take(noisy.encoded, branch.steps)
        mean = _follow(links, noisy)
        if mean is None or mean.shape != noisy.latent.shape:
            return None
        declared = self.posterior.second
        for event in noisy.between:
            for leaf in leaves_of(event.returned):
                if leaf.value.shape != mean.shape or same(leaf.value, mean):
                    continue
                kinds = [kind for kind in _SECONDS if _near(deviation_of(leaf.value, kind), noisy.latent - mean)]
                if not kinds or declared not in ("auto", *kinds):
                    continue
                chain = chain_to(self.network, noisy, leaf.value, [source])
                if chain is not None:
                    branches = (Branch(branch.steps, links), Branch(branch.steps, chain[1]))
                    self.facts["heads"] = ", ".join(part.links[-1].path for part in branches)
                    return _Encoding(branches, "heads", kinds[0])
        return None


def _follow(links: Sequence[Link], watched: Watched) -> Tensor | None:
    """The value that the last call of a chain returned in a pass."""
    found = None
    for event in watched.between:
        if event.path == links[-1].path:
            found = take(event.returned, links[-1].steps)
    return found


def _near(one: Tensor, other: Tensor) -> bool:
    """Whether two standard deviations agree, allowing for cancellation."""
    return one.shape == other.shape and torch.allclose(
        one, other, rtol=1e-3, atol=1e-5 * float(other.abs().max()) + 1e-7
    )


def _equal(one: Tensor, other: Any) -> bool:
    return isinstance(other, Tensor) and torch.equal(one, other)


def _is_distribution(returned: Any, steps: Steps) -> bool:
    """Whether the tensor at `steps` is the mean of a distribution."""
    for step in steps[:-1]:
        returned = returned[step] if isinstance(step, int) or hasattr(returned, "keys") else getattr(returned, step)
    return bool(steps) and isinstance(returned, Distribution)


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _sizes(value: Tensor) -> str:
    return f"shape {' x '.join(map(str, value.shape[1:]))}"


def _first_that_runs(
    tried: Sequence[NetworkPart], run: Callable[[NetworkPart], Any], path: str, given: str, remedy: str
) -> NetworkPart:
    failures: list[Exception] = []
    for part in tried:
        try:
            with torch.random.fork_rng(devices=[]):
                run(part)
        except Exception as error:  # whatever a network raises for a value that it does not take
            if is_out_of_memory(error):
                raise
            failures.append(error)
        else:
            return part
    raise CausalVAEError(
        "CV130",
        f"{path} does not take {given}: {first_line(failures[0])}.",
        f"{remedy}, and check model.latent_dim.",
        "model",
    ) from failures[0]
