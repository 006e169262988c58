"""The recommender that answers whether a user will like an item (TALLRec, arXiv 2305.00447)."""
