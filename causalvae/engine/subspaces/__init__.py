"""Learned directions: distributed alignment search, and null spaces of learned subspaces."""
