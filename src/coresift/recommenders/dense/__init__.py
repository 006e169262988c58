"""The dense recommender: prompts and items as vectors of one space."""
