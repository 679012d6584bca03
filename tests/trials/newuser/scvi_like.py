import torch
from torch import nn


class SCVI(nn.Module):
    def __init__(self, n_genes=100, n_batch=2, n_hidden=64, n_latent=6):
        super().__init__()
        self.n_batch = n_batch
        self.encoder = nn.Sequential(nn.Linear(n_genes, n_hidden), nn.BatchNorm1d(n_hidden), nn.ReLU())
        self.mean = nn.Linear(n_hidden, n_latent)
        self.var = nn.Linear(n_hidden, n_latent)
        self.decoder = nn.Sequential(nn.Linear(n_latent + n_batch, n_hidden), nn.BatchNorm1d(n_hidden), nn.ReLU())
        self.px_scale = nn.Linear(n_hidden, n_genes)
        self.px_r = nn.Parameter(torch.zeros(n_genes))

    def inference(self, x):
        h = self.encoder(torch.log1p(x))
        return self.mean(h), torch.exp(self.var(h)) + 1e-4

    def generative(self, z, batch):
        h = self.decoder(torch.cat([z, batch], 1))
        return 1000 * torch.softmax(self.px_scale(h), 1)

    def forward(self, x, batch):
        m, v = self.inference(x)
        z = torch.distributions.Normal(m, v.sqrt()).rsample()
        return self.generative(z, batch), m, v

    def loss(self, x, batch):
        mu, m, v = self(x, batch)
        r = self.px_r.exp()
        nb = torch.distributions.NegativeBinomial(total_count=r, logits=(mu + 1e-8).log() - r.log())
        rec = -nb.log_prob(x).sum(1)
        kl = torch.distributions.kl_divergence(
            torch.distributions.Normal(m, v.sqrt()), torch.distributions.Normal(0.0, 1.0)
        ).sum(1)
        return (rec + kl).mean()
