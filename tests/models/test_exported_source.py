"""Programs of torch.export: opened with leave only, with the names of the modules that they came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.kinds.exported import ExportedModel
from causalvae.models.loading import load_model
from causalvae.models.sources import open_source
from causalvae.trust import allow_code

SHAPE = (1, 6, 6)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.heads = nn.ModuleDict({"mean": nn.Linear(72, 3), "second": nn.Linear(72, 3)})

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.conv(x)).flatten(1)
        return self.heads["mean"](hidden), self.heads["second"](hidden)


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 36)

    def forward(self, z: Tensor) -> Tensor:
        return self.lin(z).unflatten(1, SHAPE)


class Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


def export(module: nn.Module, example: tuple[Tensor, ...], path: Path, fixed: bool = False) -> None:
    rows = torch.export.Dim("rows", min=1, max=4096)
    shapes = None if fixed else tuple({0: rows} for _ in example)
    torch.export.save(torch.export.export(module.eval(), example, dynamic_shapes=shapes), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    encoder, decoder = Encoder(), Decoder()
    export(encoder, (torch.rand(3, *SHAPE),), place / "e.pt2")
    export(decoder, (torch.rand(3, 3),), place / "d.pt2")
    export(decoder, (torch.rand(3, 3),), place / "fixed.pt2", fixed=True)
    export(Two(), (torch.rand(3, 3), torch.rand(3, 3)), place / "two.pt2")
    (place / "damaged.pt2").write_bytes((place / "d.pt2").read_bytes()[:500])
    torch.save({"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}, place / "weights.pt")
    return place


def section(**changes: Any) -> ExportedModel:
    given = {"source": "exported", "encoder": "e.pt2", "decoder": "d.pt2", "latent_dim": 3}
    return ExportedModel.model_validate({**given, "posterior": {"layout": "heads", "second": "log_std"}, **changes})


def test_programs_compute_what_they_were_exported_from(folder: Path) -> None:
    with pytest.raises(CausalVAEError) as caught:
        load_model(section(), folder, SHAPE)
    assert (caught.value.code, "e.pt2 and d.pt2" in caught.value.message) == ("CV117", True)
    with allow_code():
        model = load_model(section(), folder, SHAPE)
    weights = torch.load(folder / "weights.pt")
    encoder, decoder = Encoder(), Decoder()
    encoder.load_state_dict(weights["encoder"])
    decoder.load_state_dict(weights["decoder"])
    x = torch.rand(40, *SHAPE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        mean, second = encoder(x)
        posterior = model.vae.encode(x)
        torch.testing.assert_close(posterior.mean, mean)
        torch.testing.assert_close(posterior.logvar, 2 * second)
        torch.testing.assert_close(model.vae(x), torch.sigmoid(decoder(mean)))
    names = {site.name for site in model.components.sites}
    assert {"encoder.conv", "encoder.conv@pre", "encoder.heads.mean", "latent", "decoder.lin"} <= names
    with allow_code():
        swapped = open_source(section(posterior={"layout": "heads"}), folder, SHAPE)
        assert swapped.identity == open_source(section(), folder, SHAPE).identity


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"decoder": "none.pt2"}, "CV133", "no file none.pt2"),
        ({"decoder": "damaged.pt2"}, "CV133", "not a program of torch.export"),
        ({"decoder": "weights.pt"}, "CV133", "not a program of torch.export"),
        ({"decoder": "fixed.pt2"}, "CV133", "batches of exactly 3"),
        ({"decoder": "two.pt2"}, "CV133", "takes 2 inputs"),
        ({"latent_dim": 4}, "CV130", "3 latents, the spec says 4"),
        ({"posterior": {"layout": "point"}}, "CV130", "read as point"),
        ({"encoder": "d.pt2", "decoder": "e.pt2"}, "CV130", "does not take inputs of shape 1 x 6 x 6"),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, Any], code: str, told: str, folder: Path) -> None:
    with allow_code(), pytest.raises(CausalVAEError) as caught:
        open_source(section(**changes), folder, SHAPE)
    assert caught.value.code == code
    assert told in caught.value.message
    assert caught.value.remedy
