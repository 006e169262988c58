"""Kedro settings. See https://docs.kedro.org/en/stable/configure/configuration_basics/."""

from kedro.config import OmegaConfigLoader

from coresift.hooks import LineageHook, ParametersHook, RunSummaryHook, SelectionHook, SurrogateHook, WorkHook

HOOKS = (ParametersHook(), LineageHook(), SelectionHook(), SurrogateHook(), RunSummaryHook(), WorkHook())

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    # The environment decides where raw data comes from; `local` holds credentials and is no environment.
    "default_run_env": "base",
    # An environment may override single parameters of a section.
    "merge_strategy": {"parameters": "soft"},
    "config_patterns": {"credentials": ["credentials*", "credentials*/**", "../local/**/credentials*"]},
}
