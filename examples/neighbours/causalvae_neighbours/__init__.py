"""Neighbouring systems as kinds of causalvae: the Half-AVAE, a VAE of quantum measurements, and GraCE-VAE."""
