"""Networks that a training spec can name, one file each."""
