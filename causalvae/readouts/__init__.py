"""Semantic attributes measured on decoded outputs."""
