"""Compiles a spec into a serialisable, content-hashed plan."""
