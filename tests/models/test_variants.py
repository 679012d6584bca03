"""VQ-VAE, conditional and ladder VAEs: shapes, closed forms, and interventions against hooks on the real modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.attribution import differentiate
from causalvae.engine.controls import check_engine
from causalvae.engine.lowering import lower
from causalvae.engine.memory import BatchSize
from causalvae.engine.relays import relay
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.errors import CausalVAEError
from causalvae.models.architectures import build, build_described
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.models.variants.conditional import Condition
from causalvae.models.variants.quantiser import Quantiser
from causalvae.plan.controls import exact_arms
from causalvae.plan.types import Arm, Patch
from causalvae.spec.value_source import make_source
from causalvae.training.losses import gaussian_kl, reconstruction_nll

ROWS = 17
CASES: dict[str, Callable[[], VAE]] = {
    "vq map": lambda: build("vq", (1, 8, 8), 4, codes=9),
    "vq vector": lambda: build("vq", (6,), 4, codes=9),
    "conditional image": lambda: build("conditional", (3, 8, 8), 4, condition=2),
    "conditional table": lambda: build("conditional", (6,), 3, condition=2),
    "ladder image": lambda: build("ladder", (1, 8, 8), 5, levels=2),
    "ladder table": lambda: build("ladder", (6,), 5, levels=3),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Kernels on one thread, as the engine runs them: bits depend on it."""
    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(allowed)


@cache
def assembled(name: str) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = CASES[name]()
        with torch.no_grad():
            for parameter in vae.parameters():
                # Large enough for patches to move the output visibly.
                parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
            if isinstance(vae.latent_layer, Quantiser):
                # Codes where the encoder's values are, so that inputs take several.
                x = torch.rand((64, *vae.input_shape))
                vae.latent_layer.learn(vae.encode(x).mean, 0.0, 0.5, torch.Generator().manual_seed(1))
    return assemble(vae, False, name, {})


def inputs_of(model: Model) -> ShardInputs:
    generator = torch.Generator().manual_seed(2)
    sides = {
        side: torch.rand((ROWS, *model.vae.input_shape), generator=generator) for side in ("base", "counterfactual")
    }
    return ShardInputs("c", 0, sides, torch.zeros(ROWS, *model.vae.latent_shape))


def by_engine(model: Model, patch: Patch, inputs: ShardInputs) -> Tensor:
    """The output of every row under one patch, with every shortcut."""
    graph = lower(model.graph)
    arm = Arm("c", "base", (patch,), ROWS)
    size = BatchSize(64)
    clean, _ = relay(graph, model.components, [arm], run_clean(graph, inputs), {}, Shortcuts(), size)
    group = Group(graph, model.components, [arm], clean, {}, [ROWS], Shortcuts())
    result = clean.sides["base"][graph.outputs["output"]].clone()
    for batch in group.batches(group.live(), size):
        result[batch.pairs] = batch.output
    return result


def put(value: Tensor, unit: int, new: Tensor) -> Tensor:
    value[:, unit] = new[:, unit]
    return value


@pytest.mark.parametrize("name", CASES)
def test_changes_along_paths_are_what_two_passes_with_hooks_give(name: str) -> None:
    """From the middle unit of each site to that of the latent, and from that of the latent to each after it."""
    model, swap = assembled(name), make_source("interchange")
    inputs, components = inputs_of(model), model.components
    x, noise = inputs.sides["base"], inputs.noise
    latent = components.site("latent")
    pairs = [(site, latent) for site in components.sites if components.leads_to(site, latent)]
    pairs += [(latent, site) for site in components.sites if components.leads_to(latent, site)]
    assert len(pairs) > 5
    with torch.no_grad():
        hooked = capture_by_hooks(model.network, (x, noise), model.network.outputs)
        swapped = hooked.run(inputs.sides["counterfactual"], noise)
        output = hooked.run(x, noise)["returned.output"]
        moved = 0
        for first, second in pairs:
            nodes = [_hook_of(site.name, hooked._by_node) for site in (first, second)]
            units = [site.units // 2 for site in (first, second)]
            sent = hooked.rerun(
                {nodes[0]: partial(put, unit=units[0], new=swapped[nodes[0]])}, x, noise, nodes={"read": nodes[1]}
            )["read"]
            expected = hooked.rerun({nodes[1]: partial(put, unit=units[1], new=sent)}, x, noise)["output"]
            source = make_source("relayed", upstream=(Patch(first.name, (units[0],), swap),))
            found = by_engine(model, Patch(second.name, (units[1],), source), inputs)
            torch.testing.assert_close(
                found, expected, rtol=0, atol=1e-5, msg=lambda m, at=(first.name, second.name): f"{at}: {m}"
            )
            moved += int((expected - output).abs().amax() > 1e-4)
    assert moved > 3, "changes must arrive for agreement to mean anything"


@pytest.mark.parametrize("name", CASES)
def test_the_engine_gives_what_hooks_on_the_modules_give(name: str) -> None:
    model = assembled(name)
    assert model.components.captured_by == "torch.export"
    inputs = inputs_of(model)
    x, other, noise = inputs.sides["base"], inputs.sides["counterfactual"], inputs.noise
    with torch.no_grad():
        hooked = capture_by_hooks(model.network, (x, noise), model.network.outputs)
        clean = hooked.run(x, noise)["returned.output"]
        swapped = hooked.run(other, noise)
        moved = 0
        for site in model.components.sites:
            node = _hook_of(site.name, hooked._by_node)
            for units in (None, (site.units - 1,)):

                def swap(value: Tensor, units: tuple[int, ...] | None = units, new: Tensor = swapped[node]) -> Tensor:
                    index = slice(None) if units is None else list(units)
                    value[:, index] = new[:, index]
                    return value

                expected = hooked.rerun({node: swap}, x, noise)["output"]
                found = by_engine(model, Patch(site.name, units, make_source("interchange")), inputs)
                torch.testing.assert_close(found, expected, rtol=0, atol=1e-5, msg=lambda m, s=site: f"{s.name}: {m}")
                moved += int((expected - clean).abs().flatten(1).amax(1).gt(1e-4).sum())
    assert moved > 100, "patches must change something for agreement to mean anything"


def _hook_of(site: str, nodes: dict[str, object]) -> str:
    """The hooked node of a site: after the activation where the site's value is, unless it says before."""
    name = site.removesuffix("@pre")
    if not site.endswith("@pre") and f"{name}#1+activation" in nodes:
        return f"{name}#1+activation"
    # A posterior mean that is passed on is the latent.
    return f"{name}#1" if f"{name}#1" in nodes else "latent.mean#1"


@pytest.mark.parametrize("name", CASES)
def test_exact_controls_hold_at_every_site(name: str) -> None:
    model = assembled(name)
    sites = tuple(site.name for site in model.components.sites)
    alone = not model.vae.decoder_reads_input
    arms = exact_arms("c", sites, inputs_of(model).rows)[: None if alone else -1]
    with torch.no_grad():
        found = check_engine(
            lower(model.graph), model.components, model.network, arms, inputs_of(model), 64, Shortcuts()
        )
    assert found.self_patch == 0.0 and found.full_patch == (0.0 if alone else None)
    assert found.network < 1e-5


def test_codes_are_read_and_patched_by_their_numbers() -> None:
    model = assembled("vq map")
    (component,) = model.components.resolve("code[3]")
    assert component.site.name == "latent_layer.code" and component.units == (3,)
    inputs = inputs_of(model)
    x = inputs.sides["base"]
    with torch.no_grad():
        values = model.graph.run(x, inputs.noise)
        quantiser = model.vae.latent_layer
        numbers = quantiser.numbers_of(model.vae.encode(x).mean)  # type: ignore[operator,union-attr]
        assert torch.equal(values[component.site.node].argmax(1), numbers)
        used = int(numbers.flatten().mode().values)
        # Without one code, the positions that took it have the zero vector.
        latent = model.vae.pass_on(model.vae.encode(x).mean).clone()
        latent[(numbers == used)[:, None].expand_as(latent)] = 0
        found = by_engine(model, Patch("latent_layer.code", (used,), make_source("zero")), inputs)
        torch.testing.assert_close(found, model.vae.decode(latent), rtol=0, atol=1e-5)


def test_a_patch_before_the_quantiser_passes_through_it() -> None:
    model = assembled("vq map")
    inputs = inputs_of(model)
    x, other = inputs.sides["base"], inputs.sides["counterfactual"]
    with torch.no_grad():
        own, new = (model.vae.encode(side).mean for side in (x, other))
        before = own.clone()
        before[:, 1] = new[:, 1]
        expected = model.vae.decode(model.vae.pass_on(before))
        found = by_engine(model, Patch("latent.mean", (1,), make_source("interchange")), inputs)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
        # A patch of the latent is a continuous change: no code lies there.
        after = model.vae.pass_on(own).clone()
        after[:, 1] = model.vae.pass_on(new)[:, 1]
        direct = by_engine(model, Patch("latent", (1,), make_source("interchange")), inputs)
        torch.testing.assert_close(direct, model.vae.decode(after), rtol=0, atol=1e-5)
        assert float((direct - found).abs().max()) > 1e-3


def test_screens_see_what_codes_and_the_encoder_do() -> None:
    """Gradients through the captured graph: straight through the quantiser, and of the assignment by the codebook."""
    model = assembled("vq map")
    inputs = inputs_of(model)
    x = inputs.sides["base"].clone().requires_grad_(True)
    nodes = [model.components.site(name).node for name in ("latent.mean", "latent", "latent_layer.code")]
    found = model.graph.run(x, inputs.noise, keep=nodes)
    outcome = found[model.graph.outputs["output"]].flatten(1).sum(1)
    mean, latent, code = differentiate(outcome, [found[node] for node in nodes])
    assert torch.equal(mean, latent) and float(latent.abs().max()) > 0
    quantiser = model.vae.latent_layer
    assert isinstance(quantiser, Quantiser)
    expected = torch.einsum("kd,ndyx->nkyx", quantiser.codebook, latent)
    assert torch.allclose(code, expected, atol=1e-6)


def test_a_linear_conditional_vae_separates_latent_and_condition() -> None:
    """y = A z + B c + d with z = W x: by hand, through the decoder's own path for the condition."""
    torch.manual_seed(0)
    vae = build("conditional", (5,), 2, "gaussian", condition=2)
    linear = nn.Linear(4, 3)
    vae.decoder.body = linear  # type: ignore[assignment]
    encoder = nn.Linear(5, 4)
    vae.encoder = encoder
    model = assemble(vae, False, "linear", {})
    inputs = inputs_of(model)
    x, other = inputs.sides["base"].double(), inputs.sides["counterfactual"].double()
    a, b = linear.weight[:, :2].double(), linear.weight[:, 2:].double()
    w, shift = encoder.weight[:2].double(), encoder.bias[:2].double()

    def output(z_of: Tensor, c_of: Tensor) -> Tensor:
        z = z_of @ w.T + shift
        return z @ a.T + c_of[:, 3:] @ b.T + linear.bias.double()

    with torch.no_grad():
        assert torch.allclose(model.vae(x.float()).double(), output(x, x), atol=1e-6)
        swap = make_source("interchange")
        by_latent = by_engine(model, Patch("latent", None, swap), inputs).double()
        assert torch.allclose(by_latent, output(other, x), atol=1e-6)
        by_condition = by_engine(model, Patch("decoder.condition", None, swap), inputs).double()
        assert torch.allclose(by_condition, output(x, other), atol=1e-6)
        # The likelihood is of the first three columns: half their squared error, and the density's constant.
        nll = reconstruction_nll(vae, vae.decode_raw(vae.encode(x.float()).mean, x.float()), x.float())
        squares = (output(x, x) - x[:, :3]).square().sum(1).mean()
        assert float(nll) == pytest.approx(float(0.5 * squares + 1.5 * torch.log(torch.tensor(2 * torch.pi))), rel=1e-5)


def test_channels_that_hold_a_label_everywhere_give_the_label() -> None:
    labels = torch.tensor([[0.25, 1.0], [0.5, 0.0]])
    images = torch.cat([torch.rand(2, 1, 4, 4), labels[:, :, None, None].expand(2, 2, 4, 4)], dim=1)
    assert torch.allclose(Condition(1)(images), labels)
    assert torch.equal(Condition(1)(images[..., 0, 0]), images[:, 1:, 0, 0])


@pytest.mark.parametrize(("shape", "condition"), [((6,), 6), ((1, 16, 16), 1), ((6,), None)])
def test_a_condition_must_leave_an_output(shape: tuple[int, ...], condition: int | None) -> None:
    with pytest.raises(CausalVAEError) as refused:
        build("conditional", shape, 3, condition=condition)
    assert refused.value.code == "CV123"


@pytest.mark.parametrize("name", ["ladder image", "ladder table"])
def test_groups_enter_the_decoder_at_their_own_rungs(name: str) -> None:
    model = assembled(name)
    vae = model.vae
    assert tuple(vae.groups.values())[-1][1] == vae.latent_dim
    x = inputs_of(model).sides["base"]
    with torch.no_grad():
        z = vae.encode(x).mean
        for group, (start, stop) in vae.groups.items():
            changed = z.clone()
            changed[:, start:stop] += 1.0
            entered = model.graph.run(x, torch.zeros_like(z))
            node = model.components.site(f"decoder.enter.{group}").node
            patched = capture_by_hooks(model.network, (x, torch.zeros_like(z)), model.network.outputs)
            found = patched.rerun({f"latent.{group}#1": lambda value: value + 1.0}, x, torch.zeros_like(z))["output"]
            assert torch.allclose(found, vae.decode(changed), atol=1e-6)
            assert entered[node].shape[0] == ROWS
            # What enters at one rung does not depend on the other groups.
            others = z.clone()
            others[:, [i for i in range(vae.latent_dim) if not start <= i < stop]] = 7.0
            direct = vae.decoder.enter[group](others[:, start:stop])  # type: ignore[index,union-attr,operator]
            assert torch.allclose(direct.reshape(entered[node].shape), entered[node], atol=1e-6)


def test_the_kl_of_a_ladder_is_the_sum_over_its_groups() -> None:
    model = assembled("ladder table")
    posterior = model.vae.encode(inputs_of(model).sides["base"])
    kl = gaussian_kl(posterior)
    assert kl.shape == (5,)
    total = 0.0
    for start, stop in model.vae.groups.values():
        own = torch.distributions.Normal(posterior.mean[:, start:stop], (0.5 * posterior.logvar[:, start:stop]).exp())
        prior = torch.distributions.Normal(0.0, 1.0)
        total += float(torch.distributions.kl_divergence(own, prior).sum(1).mean())
    assert float(kl.sum()) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(("shape", "latents", "levels"), [((6,), 2, 3), ((1, 16, 16), 9, 5), ((1, 7, 7), 3, 1)])
def test_a_ladder_has_a_latent_and_an_image_a_halving_for_each_group(
    shape: tuple[int, ...], latents: int, levels: int
) -> None:
    with pytest.raises(CausalVAEError) as refused:
        build("ladder", shape, latents, levels=levels)
    assert refused.value.code == "CV124"


def test_a_described_network_has_the_defaults_of_its_time() -> None:
    old = build_described({"architecture": "mlp", "latent_dim": 3}, (4,))
    assert (old.latent_dim, old.likelihood, old.sigma) == (3, "bernoulli", 1.0)
    described = {"architecture": "ladder", "latent_dim": 6, "likelihood": "gaussian", "sigma": 0.5, "levels": 2}
    found = build_described(described, (4,))
    assert found.groups == {"g1": (0, 3), "g2": (3, 6)} and found.sigma == 0.5
