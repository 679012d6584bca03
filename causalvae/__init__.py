"""Declarative causal analysis of variational autoencoders."""
