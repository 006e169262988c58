"""One selector a file, named as ``selection.method`` names it, and the registry of them all."""
