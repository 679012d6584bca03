"""Data of physical and signal-processing systems whose truth is computed: spin chains, mixtures of sources."""
