"""Coreset selection: one selector per file, with the scikit-learn interface."""

from coresift.selection.candidate_pool import CandidatePool, MissingInputError
from coresift.selection.choosing import Coreset, choose
from coresift.selection.coreset_tables import coreset_table, export_records, whole_pool_table
from coresift.selection.dealrec_selector import DealrecSelector
from coresift.selection.figures import coverage_figure, descent_figure
from coresift.selection.goracs_selector import GoracsSelector
from coresift.selection.pool_assembly import assemble_pool
from coresift.selection.random_selector import RandomSelector
from coresift.selection.registry import SELECTORS
from coresift.selection.selector import Selection, Selector

__all__ = [
    "SELECTORS",
    "CandidatePool",
    "Coreset",
    "DealrecSelector",
    "GoracsSelector",
    "MissingInputError",
    "RandomSelector",
    "Selection",
    "Selector",
    "assemble_pool",
    "choose",
    "coreset_table",
    "coverage_figure",
    "descent_figure",
    "export_records",
    "whole_pool_table",
]
