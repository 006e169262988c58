"""The hook that checks every parameter before the first node, and decides where everything lies."""

from __future__ import annotations

from collections.abc import Iterable

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from coresift.hooks.parameter_checks import check_parameters
from coresift.hooks.places import PLACES, check_readable, check_writable, read_parameters, settled


class ParametersHook:
    """Stops a run with a wrong parameter, place or base model before any node, and decides where everything lies."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check all sections, and what they need: a base model's path, four bits; decide on data_dir and raw_dir."""
        loader = context.config_loader
        raw = read_parameters(loader)
        check_parameters(raw)
        places = {name: settled(name, raw[name], context.project_path) for name in PLACES if name in raw}
        loader["parameters"] = {**raw, **places}
        # The catalog reads runtime parameters only, so that whatever decided on a place becomes one of them.
        loader.runtime_params = {**loader.runtime_params, **places}
        loader._runtime_params_oc = None
        self._places = places
        model = raw.get("foundation", {}).get("model")
        if model:
            from coresift.foundation import check_base_model

            check_base_model(model, max_tokens=raw.get("prompting", {}).get("max_tokens"))
        self._trained_here = None if model else raw.get("prompting", {}).get("max_tokens")
        if raw["dtype"] == "nf4":
            from coresift.compute import resolve_device
            from coresift.foundation import check_four_bits

            check_four_bits(resolve_device(raw["device"]))

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Check that raw data is where it should be, that every output can be written, and that prompts will be read.

        Raises:
            ValueError: If a place does not do, or prompts are longer than the small model that is trained here reads.
        """
        raw_dir = self._places.get("raw_dir")
        if raw_dir and any(path.startswith(raw_dir) for path in _paths(pipeline.inputs(), catalog)):
            check_readable("raw_dir", raw_dir)
        check_writable("data_dir", self._places["data_dir"], _paths(pipeline.all_outputs(), catalog))
        if self._trained_here and {"base_model", "prompts"} <= pipeline.all_outputs():
            from coresift.foundation import check_small_model

            check_small_model(self._trained_here)


def _paths(names: Iterable[str], catalog: DataCatalog) -> list[str]:
    """Return the paths of those datasets that have one."""
    datasets = [catalog.get(name) for name in sorted(names)]
    return [str(dataset._describe().get("filepath", "")) for dataset in datasets if dataset is not None]
