"""Networks that went through torch.compile: the original is captured, under its own names, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.values import MIN_ROWS
from causalvae.errors import CausalVAEError
from causalvae.models.compiled import is_compiled, original_of
from causalvae.models.loading import assemble
from causalvae.models.vae import VAE
from causalvae.plan.types import Patch
from causalvae.spec.value_source import make_source
from tests.models.fixtures import LATENTS, WIDTH, PlainDecoder
from tests.models.hook_loop import Tap, read, run_with
from tests.models.pathologies import make_pathology
from tests.models.test_hooked import run_arms


class TwoStages(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(WIDTH, 10), nn.ReLU(), nn.Linear(10, 10))
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.sin(self.body(x)))


def plain(name: str = "") -> VAE:
    torch.manual_seed(0)
    return make_pathology(name) if name else VAE(TwoStages(), PlainDecoder(), LATENTS, (WIDTH,))


def wrapped(module: nn.Module) -> nn.Module:
    return torch.compile(module, backend="eager")


def compile_everything(vae: VAE) -> nn.Module:
    return wrapped(vae)


def compile_encoder(vae: VAE) -> nn.Module:
    vae.encoder = wrapped(vae.encoder)
    return vae


def compile_within(vae: VAE) -> nn.Module:
    vae.encoder.body[2] = wrapped(vae.encoder.body[2])
    vae.encoder.body = wrapped(vae.encoder.body)
    return vae


def compile_in_place(vae: VAE) -> nn.Module:
    vae.encoder.compile(backend="eager")
    vae.decoder.lin1.compile(backend="eager")
    return vae


WAYS = [compile_everything, compile_encoder, compile_within, compile_in_place]


@pytest.mark.parametrize(
    ("compile_it", "name"), [*((way, "") for way in WAYS), *((way, "control flow by row") for way in WAYS[:2])]
)
def test_the_original_is_captured(compile_it: Callable[[VAE], nn.Module], name: str) -> None:
    network = compile_it(plain(name))
    kinds = [type(module) for module in network.modules()]
    model = assemble(network, True, "compiled", {})
    expected = assemble(plain(name), True, "plain", {})
    assert not is_compiled(model.vae)
    assert model.graph.how == expected.graph.how
    assert "torch.compile" in model.facts["compiled"]
    assert "compiled" not in expected.facts
    assert [site.name for site in model.components.sites] == [site.name for site in expected.components.sites]
    generator = torch.Generator().manual_seed(2)
    x, other = (torch.randn((MIN_ROWS, WIDTH), generator=generator) for _ in range(2))
    noise = torch.randn((MIN_ROWS, LATENTS), generator=generator)
    inputs = ShardInputs("c", 0, {"base": x, "counterfactual": other}, noise)
    with torch.inference_mode():
        clean = run_clean(model.graph, inputs)
        for path in ("encoder.head", "decoder.lin2"):
            donor = read(expected.vae, other, noise, True, Tap(path))
            (found,) = run_arms(model, clean, [(Patch(path, None, make_source("interchange")),)], MIN_ROWS)
            after = run_with(expected.vae, x, noise, True, Tap(path), lambda value, donor=donor: donor)
            assert torch.allclose(found, after.flatten(1), rtol=1e-6, atol=1e-6)
    # What was given is compiled as it was, over the same tensors.
    assert [type(module) for module in network.modules()] == kinds
    assert is_compiled(network)
    given = {id(parameter) for parameter in network.parameters()}
    assert {id(parameter) for parameter in model.vae.parameters()} == given


class CallsCompiled(TwoStages):
    """Calls its body in a compiled function, and has control flow that depends on values where it is asked to."""

    def __init__(self, has_branch: bool) -> None:
        super().__init__()
        self.has_branch = has_branch
        self.run_body = torch.compile(lambda x: torch.sin(self.body(x)), backend="eager")

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.run_body(x)
        if self.has_branch and not bool(torch.isfinite(hidden).all()):
            raise ValueError("not finite")
        return self.head(hidden)


class CompiledForward(CallsCompiled):
    """A class whose forward is compiled."""


CompiledForward.forward = torch.compile(CallsCompiled.forward, backend="eager")


def compiled_on_the_instance(has_branch: bool) -> nn.Module:
    encoder = CallsCompiled(has_branch)
    encoder.run_body = lambda x: torch.sin(encoder.body(x))
    encoder.forward = torch.compile(encoder.forward, backend="eager")
    return encoder


FUNCTIONS = {
    "attribute": (CallsCompiled, ("encoder.run_body",)),
    "class": (CompiledForward, ("encoder.forward", "encoder.run_body")),
    "instance": (compiled_on_the_instance, ("encoder.forward",)),
}


@pytest.mark.slow
@pytest.mark.parametrize("where", FUNCTIONS)
def test_compiled_functions_are_exported_and_never_run_by_hooks(where: str) -> None:
    """Once a compiled function has run, hooks that are hung on modules inside it silently do not fire."""
    make, names = FUNCTIONS[where]
    for has_branch in (False, True):
        torch._dynamo.reset()
        torch.manual_seed(0)
        vae = VAE(make(has_branch), PlainDecoder(), LATENTS, (WIDTH,)).eval()
        with torch.no_grad():
            vae(torch.randn(3, WIDTH))
        if has_branch:
            with pytest.raises(CausalVAEError, match="are not called") as caught:
                assemble(vae, True, "compiled", {})
            assert caught.value.code == "CV111"
            assert ", ".join(names) in caught.value.message
        else:
            model = assemble(vae, True, "compiled", {})
            assert model.graph.how == "export"
            assert {"encoder.body.0", "encoder.body.2", "encoder.head"} <= {s.name for s in model.components.sites}


def test_what_is_not_compiled_is_given_back() -> None:
    vae = plain()
    assert original_of(vae) is vae


def test_a_compiled_network_that_cannot_be_copied_is_refused() -> None:
    class Clings(TwoStages):
        def __deepcopy__(self, memo: object) -> nn.Module:
            raise TypeError("there is only one of me")

    vae = VAE(Clings(), PlainDecoder(), LATENTS, (WIDTH,))
    vae.decoder = wrapped(vae.decoder)
    with pytest.raises(CausalVAEError, match="only one of me") as caught:
        assemble(vae, True, "clings", {})
    assert caught.value.code == "CV111"
    assert "before torch.compile" in caught.value.remedy
