"""Optimal transport between training and validation rows: costs by blocks, exact solves, balanced k-medoids."""

from coresift.transport.block_cost import BlockCost
from coresift.transport.exact_transport import TransportPlan, solve_transport
from coresift.transport.greedy_start import greedy_medoids
from coresift.transport.input_checks import fixed_and_excluded
from coresift.transport.k_medoids import KMedoidsResult, balanced_k_medoids
from coresift.transport.row_costs import row_values

__all__ = [
    "BlockCost",
    "KMedoidsResult",
    "TransportPlan",
    "balanced_k_medoids",
    "fixed_and_excluded",
    "greedy_medoids",
    "row_values",
    "solve_transport",
]
