"""What attribution costs, and how true influence is."""
