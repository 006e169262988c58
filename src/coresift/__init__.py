"""coresift fine-tunes LLM recommenders on the few training samples that matter."""

import os

__version__ = "0.1.0"

# Read when torch loads: by default idle threads spin, which made training steps 3 to 15 times slower on shared cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
