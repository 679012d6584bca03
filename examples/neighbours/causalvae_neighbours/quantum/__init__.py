"""A probabilistic VAE of measured spin configurations (arXiv 2506.11982): exact data, network, objective, measures."""
