"""The sources of networks, one file each."""
