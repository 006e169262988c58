"""Coreset selection: one selector per file, with the scikit-learn interface."""

from coresift.selection.candidate_pool import CandidatePool, MissingInputError
from coresift.selection.coreset import (
    ALL,
    Coreset,
    ExportFormat,
    choose,
    coreset_table,
    export_records,
    selector_of,
    whole_pool_table,
)
from coresift.selection.figures import coverage_figure, descent_figure
from coresift.selection.pool_assembly import assemble_pool
from coresift.selection.selector import Budget, Selection, Selector
from coresift.selection.selectors.ccs import CcsSelector
from coresift.selection.selectors.d2_pruning import D2PruningSelector
from coresift.selection.selectors.dealrec import DealrecSelector
from coresift.selection.selectors.dealrec_shuffled import DealrecShuffledSelector
from coresift.selection.selectors.el2n import El2nSelector
from coresift.selection.selectors.facility_location import FacilityLocationSelector
from coresift.selection.selectors.gist import GistSelector
from coresift.selection.selectors.goracs import GoracsSelector
from coresift.selection.selectors.goracs_greedy import GoracsGreedySelector
from coresift.selection.selectors.grand import GrandSelector
from coresift.selection.selectors.herding import HerdingSelector
from coresift.selection.selectors.k_center import KCenterSelector
from coresift.selection.selectors.knn import KnnSelector
from coresift.selection.selectors.less import LessSelector
from coresift.selection.selectors.moderate import ModerateSelector
from coresift.selection.selectors.random import RandomSelector
from coresift.selection.selectors.registry import SELECTORS
from coresift.selection.selectors.stratified_random import StratifiedRandomSelector
from coresift.selection.selectors.target_loss_drop import TargetLossDropSelector
from coresift.selection.selectors.tsds import TsdsSelector
from coresift.selection.state_covering import StateCoveringSelector
from coresift.selection.validation_split import is_for_tuning, without_selection_part, without_tuning_part

__all__ = [
    "ALL",
    "SELECTORS",
    "Budget",
    "CandidatePool",
    "CcsSelector",
    "Coreset",
    "D2PruningSelector",
    "DealrecSelector",
    "DealrecShuffledSelector",
    "El2nSelector",
    "ExportFormat",
    "FacilityLocationSelector",
    "GistSelector",
    "GoracsGreedySelector",
    "GoracsSelector",
    "GrandSelector",
    "HerdingSelector",
    "KCenterSelector",
    "KnnSelector",
    "LessSelector",
    "MissingInputError",
    "ModerateSelector",
    "RandomSelector",
    "Selection",
    "Selector",
    "StateCoveringSelector",
    "StratifiedRandomSelector",
    "TargetLossDropSelector",
    "TsdsSelector",
    "assemble_pool",
    "choose",
    "coreset_table",
    "coverage_figure",
    "descent_figure",
    "export_records",
    "is_for_tuning",
    "selector_of",
    "whole_pool_table",
    "without_selection_part",
    "without_tuning_part",
]
