"""The recommender that writes titles (BIGRec, arXiv 2308.08434)."""
