"""The quantities that a hypothesis may bound, one file each; see `causalvae.spec.quantity`."""
