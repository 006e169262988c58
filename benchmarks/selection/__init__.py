"""How good the search for a coreset is, and which coreset trains best."""
