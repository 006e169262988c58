"""Selectors by the name that the parameter `selection.method` uses."""

from __future__ import annotations

from coresift.selection.selector import Selector
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
from coresift.selection.selectors.stratified_random import StratifiedRandomSelector
from coresift.selection.selectors.target_loss_drop import TargetLossDropSelector
from coresift.selection.selectors.tsds import TsdsSelector

SELECTORS: dict[str, type[Selector]] = {
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
