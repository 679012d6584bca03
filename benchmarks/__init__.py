"""Measures this engine against what people use today; see README.md."""
