"""Hooks, one a file: what is checked before the first node, kept in order between nodes, and said when a run ends."""

from coresift.hooks.lineage_hook import LineageHook
from coresift.hooks.parameter_checks import PIPELINES, check_parameters, parameter_models
from coresift.hooks.parameters_hook import ParametersHook
from coresift.hooks.run_summary_hook import RunSummaryHook
from coresift.hooks.selection_hook import SelectionHook
from coresift.hooks.surrogate_hook import SurrogateHook
from coresift.hooks.work_hook import WorkHook

__all__ = [
    "PIPELINES",
    "LineageHook",
    "ParametersHook",
    "RunSummaryHook",
    "SelectionHook",
    "SurrogateHook",
    "WorkHook",
    "check_parameters",
    "parameter_models",
]
