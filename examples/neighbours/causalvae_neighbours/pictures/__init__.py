"""How the data of these systems are drawn."""
