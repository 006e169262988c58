"""How fast the training loop is."""
