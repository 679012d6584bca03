"""The declared semantic causal graph."""

from causalvae.graph.causal_graph import CausalGraph, Independence

__all__ = ["CausalGraph", "Independence"]
