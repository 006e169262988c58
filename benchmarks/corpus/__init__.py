"""How fast raw interactions become samples, and in how much memory."""
