from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, resource
import numpy as np
from coresift.selection.nearness import largest_alignment

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
draw = np.random.default_rng(0)
rows, targets = (draw.standard_normal((size, 8), dtype=np.float32) for size in (60_000, 4_000))
largest_alignment(rows[:2_000], targets, device="cpu")
before = peak()
largest_alignment(rows, targets, device="cpu")
print(json.dumps(peak() - before))
"""


def test_alignments_need_a_fraction_of_all_inner_products():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < 60_000 * 4_000 * 4 / 8
