import torch
import torch.nn.functional as F
from torch import nn


class VectorQuantizer(nn.Module):
    def __init__(self, num_embeddings, embedding_dim, commitment_cost):
        super().__init__()
        self._embedding_dim = embedding_dim
        self._num_embeddings = num_embeddings
        self._embedding = nn.Embedding(num_embeddings, embedding_dim)
        self._embedding.weight.data.uniform_(-1 / num_embeddings, 1 / num_embeddings)
        self._commitment_cost = commitment_cost

    def forward(self, inputs):
        # BCT -> BTC
        inputs = inputs.permute(0, 2, 1).contiguous()
        input_shape = inputs.shape
        flat_input = inputs.view(-1, self._embedding_dim)
        distances = (
            torch.sum(flat_input**2, dim=1, keepdim=True)
            + torch.sum(self._embedding.weight**2, dim=1)
            - 2 * torch.matmul(flat_input, self._embedding.weight.t())
        )
        encoding_indices = torch.argmin(distances, dim=1).unsqueeze(1)
        encodings = torch.zeros(encoding_indices.shape[0], self._num_embeddings, device=inputs.device)
        encodings.scatter_(1, encoding_indices, 1)
        quantized = torch.matmul(encodings, self._embedding.weight).view(input_shape)
        e_latent_loss = F.mse_loss(quantized.detach(), inputs)
        q_latent_loss = F.mse_loss(quantized, inputs.detach())
        loss = q_latent_loss + self._commitment_cost * e_latent_loss
        quantized = inputs + (quantized - inputs).detach()
        avg_probs = torch.mean(encodings, dim=0)
        perplexity = torch.exp(-torch.sum(avg_probs * torch.log(avg_probs + 1e-10)))
        return loss, quantized.permute(0, 2, 1).contiguous(), perplexity, encodings


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.block = nn.Sequential(nn.ReLU(True), nn.Conv1d(c, c, 3, padding=1), nn.ReLU(True), nn.Conv1d(c, c, 1))

    def forward(self, x):
        return x + self.block(x)


class Encoder(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.conv_1 = nn.Conv1d(1, h // 2, 4, stride=4)
        self.conv_2 = nn.Conv1d(h // 2, h, 4, stride=4)
        self.conv_3 = nn.Conv1d(h, h, 4, stride=2, padding=1)
        self.residual = Residual(h)

    def forward(self, x):
        x = F.relu(self.conv_1(x))
        x = F.relu(self.conv_2(x))
        return self.residual(self.conv_3(x))


class Decoder(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.conv_1 = nn.Conv1d(d, h, 3, padding=1)
        self.residual = Residual(h)
        self.trans_1 = nn.ConvTranspose1d(h, h, 4, stride=2, padding=1)
        self.trans_2 = nn.ConvTranspose1d(h, h // 2, 4, stride=4)
        self.trans_3 = nn.ConvTranspose1d(h // 2, 1, 4, stride=4)

    def forward(self, z):
        x = self.residual(self.conv_1(z))
        x = F.relu(self.trans_1(x))
        x = F.relu(self.trans_2(x))
        return self.trans_3(x)


class Model(nn.Module):
    def __init__(self, num_hiddens=64, num_embeddings=64, embedding_dim=16, commitment_cost=0.25):
        super().__init__()
        self._encoder = Encoder(num_hiddens)
        self._pre_vq_conv = nn.Conv1d(num_hiddens, embedding_dim, 1)
        self._vq_vae = VectorQuantizer(num_embeddings, embedding_dim, commitment_cost)
        self._decoder = Decoder(embedding_dim, num_hiddens)

    def forward(self, x):
        z = self._pre_vq_conv(self._encoder(x))
        loss, quantized, perplexity, _ = self._vq_vae(z)
        x_recon = self._decoder(quantized)
        return loss, x_recon, perplexity
