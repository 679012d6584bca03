"""Small VAEs as tutorials write them, none with the interface that this package has for its own."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, NegativeBinomial, Normal

LATENTS = 3
IMAGE = (1, 8, 8)
ROW = (10,)


def draw(mean: Tensor, logvar: Tensor) -> Tensor:
    return mean + torch.randn_like(mean) * (0.5 * logvar).exp()


class LinearVAE(nn.Module):
    """Methods, heads beside the trunk, activations as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU())
        self.fc_mu = nn.Linear(12, LATENTS)
        self.fc_var = nn.Linear(12, LATENTS)
        self.decoder_input = nn.Linear(LATENTS, 12)
        self.final_layer = nn.Linear(12, 64)

    def encode(self, x: Tensor) -> Any:
        h = self.trunk(x)
        return self.fc_mu(h), self.fc_var(h)

    def decode(self, z: Tensor) -> Any:
        return torch.sigmoid(self.final_layer(torch.tanh(self.decoder_input(z)))).view(-1, *IMAGE)

    def forward(self, x: Tensor) -> Any:
        mean, logvar = self.encode(x)
        return self.decode(draw(mean, logvar)), mean, logvar


class ConvVAE(nn.Module):
    """`encoder` and `decoder` are only a part of each method; the trunk is twice as wide as the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 4, stride=2, padding=1), nn.LeakyReLU(), nn.Flatten(), nn.Linear(64, 2 * LATENTS)
        )
        self.fc_mu = nn.Linear(2 * LATENTS, LATENTS)
        self.fc_var = nn.Linear(2 * LATENTS, LATENTS)
        self.decoder_input = nn.Linear(LATENTS, 64)
        self.decoder = nn.Sequential(nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1), nn.LeakyReLU())
        self.final_layer = nn.Conv2d(4, 1, 3, padding=1)

    def encode(self, x: Tensor) -> list[Tensor]:
        h = self.encoder(x)
        return [self.fc_mu(h), self.fc_var(h)]

    def decode(self, z: Tensor) -> Tensor:
        h = self.decoder(self.decoder_input(z).view(-1, 4, 4, 4))
        return torch.sigmoid(self.final_layer(h))

    def forward(self, x: Tensor) -> Any:
        mean, logvar = self.encode(x)
        return [self.decode(draw(mean, logvar)), x, mean, logvar]


class HeadsInForward(nn.Module):
    """No method: forward() calls the heads after the trunk, which is twice as wide as the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 2 * LATENTS), nn.Tanh())
        self.fc_mu = nn.Linear(2 * LATENTS, LATENTS)
        self.fc_std = nn.Linear(2 * LATENTS, LATENTS)
        self.decoder = nn.Sequential(nn.Linear(LATENTS, 12), nn.ReLU(), nn.Linear(12, 64), nn.Unflatten(1, IMAGE))

    def reparameterize(self, mean: Tensor, log_std: Tensor) -> Tensor:
        return mean + torch.randn_like(mean) * log_std.exp() if self.training else mean

    def forward(self, x: Tensor) -> Any:
        h = self.encoder(x)
        mean, log_std = self.fc_mu(h), self.fc_std(h)
        return self.decoder(self.reparameterize(mean, log_std)), mean, log_std


class OneHead(nn.Module):
    """One layer after the trunk gives mean and log-variance, which forward() takes apart."""

    def __init__(self) -> None:
        super().__init__()
        self.enc = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh())
        self.to_stats = nn.Linear(12, 2 * LATENTS)
        self.dec = nn.Sequential(nn.Linear(LATENTS, 64), nn.Unflatten(1, IMAGE))

    def forward(self, x: Tensor) -> Any:
        mean, logvar = self.to_stats(self.enc(x)).chunk(2, 1)
        return {"logits": self.dec(draw(mean, logvar)), "mu": mean}


class FlatVAE(nn.Module):
    """Takes and gives images as vectors; forward() reshapes them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 12)
        self.fc21 = nn.Linear(12, LATENTS)
        self.fc22 = nn.Linear(12, LATENTS)
        self.fc3 = nn.Linear(LATENTS, 12)
        self.fc4 = nn.Linear(12, 64)

    def encode(self, x: Tensor) -> Any:
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x: Tensor) -> Any:
        mean, logvar = self.encode(x.view(-1, 64))
        return self.decode(draw(mean, logvar)), mean, logvar


class Returning(LinearVAE):
    """The linear VAE with another value returned by `encode`, `decode`, or both."""

    def __init__(self, encoded: Callable[..., Any], taken: Callable[[Any], Tensor], decoded: Any = None) -> None:
        super().__init__()
        self.encoded, self.taken, self.decoded = encoded, taken, decoded

    def encode(self, x: Tensor) -> Any:
        mean, second = super().encode(x)
        return self.encoded(mean, second)

    def decode(self, z: Tensor) -> Any:
        value = super().decode(z)
        return value if self.decoded is None else self.decoded(value)

    def forward(self, x: Tensor) -> Any:
        returned = self.encode(x)
        return self.decode(self.taken(returned)), returned


Parameters = namedtuple("Parameters", "mu sigma")


@dataclass
class Output:
    logvar: Tensor
    mean: Tensor


def sampled(mean: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return draw(mean, logvar), mean, logvar


def as_normal(mean: Tensor, second: Tensor) -> Normal:
    return Normal(mean, F.softplus(second) + 1e-3)


def as_independent(mean: Tensor, second: Tensor) -> Independent:
    return Independent(as_normal(mean, second), 1)


class CountVAE(nn.Module):
    """Counts: log1p on the way in, a negative binomial with argument checks on the way out."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(*ROW, 12)
        self.heads = nn.Linear(12, 2 * LATENTS)
        self.lift = nn.Linear(LATENTS, 12)
        self.rate = nn.Linear(12, *ROW)
        self.log_total = nn.Parameter(torch.zeros(ROW))

    def encode(self, x: Tensor) -> Normal:
        mean, logvar = self.heads(torch.relu(self.hidden(torch.log1p(x)))).chunk(2, dim=-1)
        return Normal(mean, (0.5 * logvar).exp(), validate_args=True)

    def decode(self, z: Tensor) -> NegativeBinomial:
        logits = self.rate(torch.relu(self.lift(z)))
        return NegativeBinomial(self.log_total.exp(), logits=logits)

    def forward(self, x: Tensor) -> Any:
        posterior = self.encode(x)
        return self.decode(posterior.rsample()), posterior


class Codebook(nn.Module):
    """A quantiser that returns what `order` says: the loss l, the quantised map q, the codes c."""

    def __init__(self, order: str, channels: int = LATENTS) -> None:
        super().__init__()
        self.order = order
        self.embedding = nn.Embedding(5, channels)

    def forward(self, z: Tensor) -> Any:
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        weight = self.embedding.weight
        distance = flat.pow(2).sum(1, keepdim=True) + weight.pow(2).sum(1) - 2 * flat @ weight.t()
        codes = distance.argmin(1)
        quantised = self.embedding(codes).view(z.shape[0], *z.shape[2:], z.shape[1]).permute(0, 3, 1, 2)
        loss = F.mse_loss(quantised.detach(), z) + F.mse_loss(quantised, z.detach())
        values = {"l": loss, "q": z + (quantised - z).detach(), "c": codes.view(z.shape[0], *z.shape[2:])}
        return tuple(values[name] for name in self.order)


class VQMethods(nn.Module):
    """A codebook between methods `encode` and `decode`."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 4, stride=2, padding=1)
        self.head = nn.Conv2d(4, LATENTS, 1)
        self.vq = Codebook(order)
        self.up = nn.ConvTranspose2d(LATENTS, 1, 4, stride=2, padding=1)

    def encode(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.down(x)))

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.up(z))

    def forward(self, x: Tensor) -> Any:
        returned = self.vq(self.encode(x))
        return self.decode(returned[self.vq.order.index("q")]), returned


class VQModules(nn.Module):
    """Modules with a convolution and a codebook between them, put together in forward() alone."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = nn.Conv2d(1, 4, 4, stride=2, padding=1)
        self._pre_vq_conv = nn.Conv2d(4, LATENTS, 1)
        self._vq_vae = Codebook("lqc")
        self._decoder = nn.ConvTranspose2d(LATENTS, 1, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Any:
        loss, quantised, codes = self._vq_vae(self._pre_vq_conv(self._encoder(x)))
        return loss, self._decoder(quantised), codes


class Calling(nn.Module):
    """A part that calls functions that it was given, and a layer of its own."""

    def __init__(self, function: Callable[[Tensor], Tensor], layer: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layer = layer

    def forward(self, value: Tensor) -> Tensor:
        return self.layer(self.function(value))


class BoundVAE(nn.Module):
    """Parts that call a bound method and a closure of the network, where most of the parameters are."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(64, 12)
        grow = self.grow = nn.Linear(LATENTS, 12)
        self.encoder = Calling(self.embed, nn.Linear(12, 2 * LATENTS))
        self.decoder = Calling(lambda z: torch.relu(grow(z)), nn.Sequential(nn.Linear(12, 64), nn.Unflatten(1, IMAGE)))

    def embed(self, x: Tensor) -> Tensor:
        return torch.tanh(self.trunk(x.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(draw(*self.encoder(x).chunk(2, dim=1)))


class LayerAfterSample(LinearVAE):
    """forward() puts a layer of another width between the sample and `decode`."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Linear(LATENTS, 5)
        self.decoder_input = nn.Linear(5, 12)

    def forward(self, x: Tensor) -> Any:
        mean, logvar = self.encode(x)
        return self.decode(self.widen(draw(mean, logvar))), mean, logvar


class PlainListVAE(nn.Module):
    """Layers in a plain list and in a closure, of which torch knows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(64, 12), nn.Linear(12, 2 * LATENTS)]
        last = nn.Linear(12, 64)
        self.grow = nn.Linear(LATENTS, 12)
        self.finish = lambda h: last(torch.relu(h)).view(-1, *IMAGE)

    def encode(self, x: Tensor) -> Tensor:
        h = x.flatten(1)
        for layer in self.layers:
            h = layer(torch.tanh(h))
        return h

    def decode(self, z: Tensor) -> Tensor:
        return self.finish(self.grow(z))


class SharedVAE(nn.Module):
    """One block in both parts, twice in the first; a layer called `latent`; a classifier that neither part uses."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(64, 6)
        self.block = nn.Linear(6, 6)
        self.heads = nn.Linear(6, 2 * LATENTS)
        self.latent = nn.Linear(LATENTS, 6)
        self.out = nn.Linear(6, 64)
        self.classifier = nn.Linear(LATENTS, 2)

    def inference(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.block(torch.tanh(self.block(self.into(x.flatten(1))))))
        return self.heads(h)

    def generate(self, z: Tensor) -> dict[str, Tensor]:
        h = torch.tanh(self.block(self.latent(z)))
        return {"hidden": h, "recon": torch.sigmoid(self.out(h)).view(-1, *IMAGE)}

    def forward(self, x: Tensor) -> Any:
        mean, logvar = self.inference(x).chunk(2, dim=1)
        return self.generate(draw(mean, logvar))["recon"], self.classifier(mean)


class BranchingVAE(LinearVAE):
    """Branches on a value in a way that leaves every row's function the same: it cannot be exported or traced."""

    def decode(self, z: Tensor) -> Tensor:
        if float(z.abs().max()) > 1e6:
            raise ValueError("latents out of range")
        return super().decode(z)


class ConditionalVAE(nn.Module):
    """Parts that take the condition as a second argument."""

    def __init__(self, classes: bool = False) -> None:
        super().__init__()
        self.label = nn.Embedding(4, 4) if classes else nn.Linear(4, 4)
        self.hidden = nn.Linear(64 + 4, 12)
        self.fc_mu = nn.Linear(12, LATENTS)
        self.fc_var = nn.Linear(12, LATENTS)
        self.grow = nn.Linear(LATENTS + 4, 64)

    def encode(self, x: Tensor, y: Tensor) -> Any:
        h = torch.relu(self.hidden(torch.cat([x.flatten(1), self.label(y)], dim=1)))
        return self.fc_mu(h), self.fc_var(h)

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.sigmoid(self.grow(torch.cat([z, self.label(y)], dim=1))).view(-1, *IMAGE)

    def forward(self, x: Tensor, y: Tensor) -> Any:
        mean, logvar = self.encode(x, y)
        return self.decode(draw(mean, logvar), y), mean, logvar


@dataclass(frozen=True)
class Tutorial:
    """A network, and how it is run by hand.

    Parameters
    ----------
    make : callable
    run : callable
        From the network and inputs to mean, second parameter (None for points), latent and output, all by its own
        methods.
    second : str
    layout : str
    keys : dict
        What the spec has to say.
    shape : tuple of int
        Of an input, the condition included.
    unused : tuple of str
        Parameters that neither part uses.
    sites : mapping of str to str
        Further sites: address -> path of a module and ``#`` call.
    """

    make: Callable[[], nn.Module]
    run: Callable[[Any, Tensor], tuple[Tensor, Tensor | None, Tensor, Tensor]]
    second: str = "logvar"
    layout: str = "heads"
    keys: dict[str, Any] | None = None
    shape: tuple[int, ...] = IMAGE
    unused: tuple[str, ...] = ()


def by_methods(net: Any, x: Tensor, names: tuple[str, str] = ("encode", "decode")) -> Any:
    mean, second = getattr(net, names[0])(x)
    return mean, second, mean, getattr(net, names[1])(mean)


def by_heads(net: Any, x: Tensor) -> Any:
    h = net.encoder(x)
    mean, second = net.fc_mu(h), net.fc_std(h)
    return mean, second, mean, net.decoder(mean)


def by_one_head(net: Any, x: Tensor) -> Any:
    mean, second = net.to_stats(net.enc(x)).chunk(2, 1)
    return mean, second, mean, net.dec(mean)


def flat(net: Any, x: Tensor) -> Any:
    mean, second = net.encode(x.flatten(1))
    return mean, second, mean, net.decode(mean).view(-1, *IMAGE)


def returning(pick: Callable[[Any], tuple[Tensor, Tensor]], decoded: Any, net: Any, x: Tensor) -> Any:
    mean, second = pick(net.encode(x))
    return mean, second, mean, decoded(net.decode(mean))


def halves(encode: str, decode: Callable[[Any, Tensor], Tensor], net: Any, x: Tensor) -> Any:
    mean, second = getattr(net, encode)(x).chunk(2, dim=1)
    return mean, second, mean, decode(net, mean)


def quantised(net: Any, x: Tensor) -> Any:
    z = net.encode(x)
    latent = net.vq(z)[net.vq.order.index("q")]
    return z, None, latent, net.decode(latent)


def zalando(net: Any, x: Tensor) -> Any:
    z = net._pre_vq_conv(net._encoder(x))
    latent = net._vq_vae(z)[1]
    return z, None, latent, net._decoder(latent)


def widened(net: Any, x: Tensor) -> Any:
    mean, second = net.encode(x)
    return mean, second, mean, net.decode(net.widen(mean))


def counted(net: Any, x: Tensor) -> Any:
    posterior = net.encode(x)
    return posterior.mean, posterior.stddev, posterior.mean, net.decode(posterior.mean).mean


def conditioned(classes: bool, net: Any, x: Tensor) -> Any:
    y = x[:, 1:, 0, 0].argmax(1) if classes else x[:, 1:, 0, 0]
    mean, second = net.encode(x[:, :1], y)
    return mean, second, mean, net.decode(mean, y)


def itself(value: Any) -> Any:
    return value


def tutorial(
    encoded: Any, pick: Any, drawn: Any, second: str = "logvar", decoded: Any = None, take: Any = itself
) -> Tutorial:
    return Tutorial(partial(Returning, encoded, drawn, decoded), partial(returning, pick, take), second)


def draw_std(mean: Tensor, std: Tensor) -> Tensor:
    return mean + torch.randn_like(mean) * std


TUTORIALS: dict[str, Tutorial] = {
    "linear": Tutorial(LinearVAE, by_methods),
    "convolutions": Tutorial(ConvVAE, by_methods),
    "heads in forward": Tutorial(HeadsInForward, by_heads, "log_std"),
    "one head in forward": Tutorial(OneHead, by_one_head, layout="chunk", keys={"encoder": "enc", "decoder": "dec"}),
    "vectors": Tutorial(FlatVAE, flat),
    "sample first": tutorial(sampled, lambda r: r[1:], lambda r: r[0]),
    "sample last": tutorial(lambda m, s: (m, s, draw(m, s)), lambda r: r[:2], lambda r: r[2]),
    "variance first": tutorial(lambda m, s: (s, m), lambda r: r[::-1], lambda r: draw(r[1], r[0])),
    "std unsaid": tutorial(lambda m, s: (m, s.exp()), itself, lambda r: draw_std(*r), "std"),
    "dictionary": tutorial(
        lambda m, s: {"logvar": s, "mu": m}, lambda r: (r["mu"], r["logvar"]), lambda r: draw(r["mu"], r["logvar"])
    ),
    "named tuple": tutorial(lambda m, s: Parameters(m, s.exp()), itself, lambda r: draw_std(*r), "std"),
    "data class": tutorial(
        lambda m, s: Output(s, m),
        lambda r: (r.mean, r.logvar),
        lambda r: r.mean,
        decoded=lambda y: (y, y + 1),
        take=lambda r: r[0],
    ),
    "distributions": tutorial(
        as_normal, lambda r: (r.mean, r.stddev), lambda r: r.rsample(), "std", Bernoulli, lambda r: r.mean
    ),
    "independent": tutorial(as_independent, lambda r: (r.mean, r.stddev), lambda r: r.rsample(), "std"),
    "counts": Tutorial(CountVAE, counted, "std", shape=ROW),
    "codebook": Tutorial(partial(VQMethods, "qlc"), quantised, layout="point"),
    "codebook, loss first": Tutorial(partial(VQMethods, "lqc"), quantised, layout="point"),
    "codebook, codes second": Tutorial(partial(VQMethods, "qcl"), quantised, layout="point"),
    "codebook of modules": Tutorial(VQModules, zalando, layout="point"),
    "bound methods": Tutorial(BoundVAE, partial(halves, "encoder", lambda net, z: net.decoder(z)), layout="chunk"),
    "layer after the sample": Tutorial(LayerAfterSample, widened),
    "plain list": Tutorial(PlainListVAE, partial(halves, "encode", lambda net, z: net.decode(z)), layout="chunk"),
    "shared block": Tutorial(
        SharedVAE,
        partial(halves, "inference", lambda net, z: net.generate(z)["recon"]),
        layout="chunk",
        keys={"encoder": "inference", "decoder": "generate"},
        unused=("classifier.weight", "classifier.bias"),
    ),
    "branches": Tutorial(BranchingVAE, by_methods),
    "condition": Tutorial(ConditionalVAE, partial(conditioned, False), shape=(5, 8, 8)),
    "condition of classes": Tutorial(partial(ConditionalVAE, True), partial(conditioned, True), shape=(5, 8, 8)),
}


def samples(shape: tuple[int, ...], rows: int, seed: int = 0) -> Tensor:
    """Inputs: counts in rows; images, behind which a condition is a one-hot vector."""
    source = torch.Generator().manual_seed(seed)
    if shape == ROW:
        return torch.randint(0, 9, (rows, *ROW), generator=source).float()
    x = torch.rand((rows, *shape), generator=source)
    if shape[0] > 1:
        label = torch.randint(0, 4, (rows,), generator=source)
        x[:, 1:] = F.one_hot(label, 4)[:, :, None, None]
    return x
