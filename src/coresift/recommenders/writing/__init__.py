"""What recommenders share that write: trees of legal continuations, and beams that keep to them."""
