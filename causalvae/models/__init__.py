"""Networks behind one interface, and their addressable components."""
