"""The alignment report on worlds and networks in which everything is known."""
