"""What must run to test a hypothesis: its circuit, other methods of patching it, and circuits to compare it with."""
