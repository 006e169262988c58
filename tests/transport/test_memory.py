from __future__ import annotations

import json
import subprocess
import sys

START = """
import json, resource
import numpy as np
from coresift.transport import BlockCost, balanced_k_medoids, greedy_start

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
draw = np.random.default_rng(0)
"""
WHOLE_SEARCH = """
greedy_start.SPARSE_ENTRIES = 2**20  # else the pairs gathered at last, at most some hundred megabytes, hide the rest
train, valid = (draw.standard_normal((size, 8), dtype=np.float32) for size in (60_000, 2_000))
balanced_k_medoids(BlockCost(train[:2_000], valid), 20, max_solves=3)
before = peak()
balanced_k_medoids(BlockCost(train, valid), 20, max_solves=3)
print(json.dumps(peak() - before))
"""
NEAR_PAIRS = """
rows = np.repeat(draw.standard_normal((2, 4_096), dtype=np.float32), 90, axis=0)
BlockCost(rows[::30], rows[::30]).rows(np.arange(6), exact=True)
before = peak()
BlockCost(rows, rows, distance_scale=1.0).rows(np.arange(180), exact=True)
print(json.dumps(peak() - before))
"""


def growth(program):
    done = subprocess.run([sys.executable, "-c", START + program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_whole_search_needs_a_fraction_of_the_cost_matrix():
    assert growth(WHOLE_SEARCH) < 60_000 * 2_000 * 4 / 4


def test_rows_that_nearly_coincide_need_a_fraction_of_all_differences():
    n_pairs = 2 * 90 * 90
    assert growth(NEAR_PAIRS) < n_pairs * 4_096 * 8
