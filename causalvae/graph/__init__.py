"""The declared semantic causal graph."""
