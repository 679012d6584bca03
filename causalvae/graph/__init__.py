"""The declared semantic causal graph."""

from causalvae.graph.causal_graph import CausalGraph, Independence, structural_hamming_distance

__all__ = ["CausalGraph", "Independence", "structural_hamming_distance"]
