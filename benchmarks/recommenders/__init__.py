"""How well recommenders learn, how good the dense one is, how fast titles are written."""
