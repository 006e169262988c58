"""Splits, histories, targets and negatives: how interactions become samples."""
