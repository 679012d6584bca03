import torch
from torch import nn


class CVAE(nn.Module):
    """MLP conditional VAE: the one-hot label is concatenated to the image and to z."""

    def __init__(self, feature_size=784, latent_size=8, class_size=10):
        super().__init__()
        self.feature_size, self.class_size = feature_size, class_size
        self.fc1 = nn.Linear(feature_size + class_size, 256)
        self.fc21 = nn.Linear(256, latent_size)
        self.fc22 = nn.Linear(256, latent_size)
        self.fc3 = nn.Linear(latent_size + class_size, 256)
        self.fc4 = nn.Linear(256, feature_size)
        self.elu = nn.ELU()
        self.sigmoid = nn.Sigmoid()

    def encode(self, x, c):  # Q(z|x, c)
        inputs = torch.cat([x, c], 1)
        h1 = self.elu(self.fc1(inputs))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z, c):  # P(x|z, c)
        inputs = torch.cat([z, c], 1)
        return self.sigmoid(self.fc4(self.elu(self.fc3(inputs))))

    def forward(self, x, c):
        mu, logvar = self.encode(x.view(-1, self.feature_size), c)
        z = self.reparameterize(mu, logvar)
        return self.decode(z, c), mu, logvar
