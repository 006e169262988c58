"""Selectors by the name that the parameter `selection.method` uses."""

from __future__ import annotations

from collections.abc import Callable

from coresift.selection.ccs_selector import CcsSelector
from coresift.selection.d2_pruning_selector import D2PruningSelector
from coresift.selection.dealrec_selector import DealrecSelector
from coresift.selection.dealrec_shuffled_selector import DealrecShuffledSelector
from coresift.selection.el2n_selector import El2nSelector
from coresift.selection.facility_location_selector import FacilityLocationSelector
from coresift.selection.gist_selector import GistSelector
from coresift.selection.goracs_greedy_selector import GoracsGreedySelector
from coresift.selection.goracs_selector import GoracsSelector
from coresift.selection.grand_selector import GrandSelector
from coresift.selection.herding_selector import HerdingSelector
from coresift.selection.k_center_selector import KCenterSelector
from coresift.selection.knn_selector import KnnSelector
from coresift.selection.less_selector import LessSelector
from coresift.selection.moderate_selector import ModerateSelector
from coresift.selection.random_selector import RandomSelector
from coresift.selection.selector import Selector
from coresift.selection.stratified_random_selector import StratifiedRandomSelector
from coresift.selection.target_loss_drop_selector import TargetLossDropSelector
from coresift.selection.tsds_selector import TsdsSelector

SELECTORS: dict[str, Callable[..., Selector]] = {
    "goracs": GoracsSelector,
    "dealrec": DealrecSelector,
    "random": RandomSelector,
    "stratified_random": StratifiedRandomSelector,
    "grand": GrandSelector,
    "el2n": El2nSelector,
    "ccs": CcsSelector,
    "d2_pruning": D2PruningSelector,
    "moderate": ModerateSelector,
    "k_center": KCenterSelector,
    "herding": HerdingSelector,
    "facility_location": FacilityLocationSelector,
    "knn": KnnSelector,
    "less": LessSelector,
    "gist": GistSelector,
    "tsds": TsdsSelector,
    "target_loss_drop": TargetLossDropSelector,
    "goracs_greedy": GoracsGreedySelector,
    "dealrec_shuffled": DealrecShuffledSelector,
}
