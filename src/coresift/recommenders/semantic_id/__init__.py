"""The recommender that writes semantic ids (TIGER, arXiv 2305.05065)."""
