"""The hook that stops a run whose surrogate does not fit the samples that the run is going to make."""

from __future__ import annotations

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline


class SurrogateHook:
    """Compares the surrogate with the kind of samples, and with what is asked about it, before the first node.

    Where samples are there already, the nodes compare them themselves.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember what the run is told."""
        raw = context.config_loader["parameters"]
        self._model = raw.get("surrogate", {}).get("model", "auto")
        self._samples = raw.get("ingestion", {}).get("samples")
        self._scored = raw.get("attribution", {}).get("influence", {}).get("scored", "last")

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Check a run that makes samples and trains the surrogate on them.

        Raises:
            ValueError: If DIN is to learn from other samples than clicks, or to be asked for losses of next items.
        """
        made = pipeline.all_outputs()
        if not {"samples", "surrogate_weights"} <= made or not self._is_din():
            return
        if self._samples != "click":
            raise ValueError(
                f"surrogate.model din predicts clicks, and ingestion.samples is {self._samples}: set ingestion.samples "
                "to click, or surrogate.model to auto"
            )
        if "influence_scores" in made and self._scored != "last":
            raise ValueError(
                f"attribution.influence.scored {self._scored} is about next items, and DIN, the surrogate of clicks, "
                "scores an impression's label: set it to last, or surrogate.model to sasrec"
            )

    def _is_din(self) -> bool:
        return self._model == "din" or (self._model == "auto" and self._samples == "click")
