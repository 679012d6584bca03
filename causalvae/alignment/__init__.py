"""Agreement of the declared graph with the network; pgmpy stands behind one adapter here."""
