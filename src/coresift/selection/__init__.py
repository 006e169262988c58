"""Coreset selection: one selector per file, with the scikit-learn interface."""

from coresift.selection.candidate_pool import CandidatePool, MissingInputError
from coresift.selection.ccs_selector import CcsSelector
from coresift.selection.choosing import Coreset, choose
from coresift.selection.coreset_tables import coreset_table, export_records, whole_pool_table
from coresift.selection.d2_pruning_selector import D2PruningSelector
from coresift.selection.dealrec_selector import DealrecSelector
from coresift.selection.dealrec_shuffled_selector import DealrecShuffledSelector
from coresift.selection.el2n_selector import El2nSelector
from coresift.selection.facility_location_selector import FacilityLocationSelector
from coresift.selection.figures import coverage_figure, descent_figure
from coresift.selection.gist_selector import GistSelector
from coresift.selection.goracs_greedy_selector import GoracsGreedySelector
from coresift.selection.goracs_selector import GoracsSelector
from coresift.selection.grand_selector import GrandSelector
from coresift.selection.herding_selector import HerdingSelector
from coresift.selection.k_center_selector import KCenterSelector
from coresift.selection.knn_selector import KnnSelector
from coresift.selection.less_selector import LessSelector
from coresift.selection.moderate_selector import ModerateSelector
from coresift.selection.pool_assembly import assemble_pool
from coresift.selection.random_selector import RandomSelector
from coresift.selection.registry import SELECTORS
from coresift.selection.selector import Selection, Selector
from coresift.selection.state_covering_selector import StateCoveringSelector
from coresift.selection.stratified_random_selector import StratifiedRandomSelector
from coresift.selection.target_loss_drop_selector import TargetLossDropSelector
from coresift.selection.tsds_selector import TsdsSelector
from coresift.selection.validation_parts import is_for_tuning, without_selection_part, without_tuning_part

__all__ = [
    "SELECTORS",
    "CandidatePool",
    "CcsSelector",
    "Coreset",
    "D2PruningSelector",
    "DealrecSelector",
    "DealrecShuffledSelector",
    "El2nSelector",
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
    "whole_pool_table",
    "without_selection_part",
    "without_tuning_part",
]
