"""How inputs and outputs are kept and drawn, one file each; data name a kind, or it follows from the output's shape."""
