"""Where patched values come from, one file each; see `causalvae.spec.value_source`."""
