from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, resource
import numpy as np
from coresift.transport import BlockCost, balanced_k_medoids, greedy_start

greedy_start.SPARSE_ENTRIES = 2**20  # else the pairs gathered at last, at most some hundred megabytes, hide the rest
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
draw = np.random.default_rng(0)
train, valid = (draw.standard_normal((size, 8), dtype=np.float32) for size in (60_000, 2_000))
balanced_k_medoids(BlockCost(train[:2_000], valid), 20, max_solves=3)
before = peak()
balanced_k_medoids(BlockCost(train, valid), 20, max_solves=3)
print(json.dumps(peak() - before))
"""


def test_the_whole_search_needs_a_fraction_of_the_cost_matrix():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < 60_000 * 2_000 * 4 / 4
