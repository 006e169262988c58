"""How fast a full catalogue is ranked."""
