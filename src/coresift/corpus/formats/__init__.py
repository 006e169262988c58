"""How raw files are read: delimited text, JSON, parquet, and the releases of MovieLens, Amazon and DEALRec."""
