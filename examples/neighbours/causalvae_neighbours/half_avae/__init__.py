"""Half-AVAE, an encoder-free adversarial VAE for underdetermined source separation (arXiv 2506.07011).

After Wei & Sun 2025 and, for the form without an adversary, Wei, Sun & Zhang 2024 (Half-VAE, arXiv 2409.04140). Written
from the papers' public descriptions; the structured prior is this package's own choice.
"""
