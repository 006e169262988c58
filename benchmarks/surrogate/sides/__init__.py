"""One side of the comparison a file, each run where its library is installed."""
