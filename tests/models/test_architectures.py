"""Every architecture: shapes, patching at every site against plain hooks' exact rules, and the way through a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from causalvae.engine.controls import check_engine
from causalvae.engine.lowering import lower
from causalvae.engine.rerun import Shortcuts
from causalvae.engine.shards import ShardInputs
from causalvae.errors import CausalVAEError
from causalvae.models.architectures import build
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.loading import assemble, load_model
from causalvae.plan.controls import exact_arms
from tests.training.test_loop import make_spec

CASES = {
    "burgess": (3, 64, 64),
    "burgess of 32 pixels": (1, 32, 32),
    "mlp": (7,),
    "residual": (3, 32, 32),
    "audio": (1, 1024),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_outputs_have_the_shape_of_inputs(name: str, likelihood: str) -> None:
    shape = CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = build(name.split()[0], shape, 5, likelihood).eval()  # type: ignore[arg-type]
    x = torch.rand(3, *shape)
    with torch.inference_mode():
        posterior = vae.encode(x)
        output = vae.decode(posterior.mean)
    assert posterior.mean.shape == posterior.logvar.shape == (3, 5)
    assert output.shape == x.shape
    bounded = bool(((output > 0) & (output < 1)).all())
    assert bounded or likelihood == "gaussian"
    assert vae.activation == ("sigmoid" if likelihood == "bernoulli" else "none")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "residual", "audio"])
def test_exact_controls_hold_at_every_site(name: str) -> None:
    shape = CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = assemble(build(name, shape, 5), False, name, {})
    assert model.facts["captured by"] == "torch.export"
    generator = torch.Generator().manual_seed(1)
    sides = {side: torch.rand((18, *shape), generator=generator) for side in ("base", "counterfactual")}
    inputs = ShardInputs("c", 0, sides, torch.zeros(18, 5))
    sites = tuple(site.name for site in model.components.sites)
    assert len(sites) > 6
    arms = exact_arms("c", sites, 18)
    with torch.inference_mode():
        found = check_engine(lower(model.graph), model.components, model.network, arms, inputs, 64, Shortcuts())
    assert (found.self_patch, found.full_patch) == (0.0, 0.0)
    assert found.network < 1e-5


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("burgess", (1, 48, 48)),
        ("burgess", (1, 32, 64)),
        ("residual", (1, 7, 7)),
        ("residual", (64,)),
        ("audio", (1, 6, 6)),
    ],
)
def test_other_shapes_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(CausalVAEError) as caught:
        build(name, shape, 5)
    assert caught.value.code == "CV115"
    assert str(shape) in caught.value.message


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "residual"])
def test_trained_weights_come_back_as_the_same_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from causalvae.api import _write_weights
    from causalvae.training import loop
    from causalvae.training.loop import train

    monkeypatch.setattr(loop, "_NEW_SAMPLES", 32)
    monkeypatch.setattr(loop, "PAIRS", 2)
    spec = make_spec(model={"architecture": name, "latent_dim": 4}, steps=2, checkpoint_every=2)
    result = train(spec, tmp_path)
    path = _write_weights(result, tmp_path, name)
    model = load_model(ZooModel(source="zoo", weights=path.name), tmp_path)
    assert model.facts["network"] == name
    x = torch.rand(16, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(model.vae(x), result.vae(x), rtol=0, atol=1e-6)
    with pytest.raises(CausalVAEError) as caught:
        load_model(ZooModel(source="zoo", name="burgess", weights=path.name), tmp_path)
    assert caught.value.code == "CV116"
