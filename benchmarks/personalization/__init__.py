"""What personalised adapters bring, and what they cost."""
