"""How symmetric outputs are in the sign of a latent."""
