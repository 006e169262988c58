"""Where and how tensors are computed: device, precision, size of numbers, threads, batches that fit, progress."""

from coresift.compute.arrays import as_floats, as_numpy, in_common_unit, unit_of
from coresift.compute.batches import in_shrinking_batches
from coresift.compute.device import (
    FOUR_BITS,
    compute_facts,
    one_openmp_thread,
    resolve_device,
    resolve_dtype,
    use_threads,
)
from coresift.compute.progress import progress_bar

__all__ = [
    "FOUR_BITS",
    "as_floats",
    "as_numpy",
    "compute_facts",
    "in_common_unit",
    "in_shrinking_batches",
    "one_openmp_thread",
    "progress_bar",
    "resolve_device",
    "resolve_dtype",
    "unit_of",
    "use_threads",
]
