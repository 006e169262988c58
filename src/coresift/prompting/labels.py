"""Whether samples are of the kind that a recommender learns from."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def check_labels(samples: pa.Table, *, predicts_clicks: bool) -> None:
    """Refuse samples of the wrong kind before anything is trained on them.

    Args:
        samples: Table ``samples``.
        predicts_clicks: Whether the recommender tells liked from disliked items; otherwise a target is wanted.

    Raises:
        ValueError: If nothing was disliked and clicks are to be predicted, or something was and they are not.
    """
    has_disliked = pc.any(pc.equal(samples["label"], 0)).as_py()
    if predicts_clicks and len(samples) and not has_disliked:
        raise ValueError("no sample is disliked, so yes_no has nothing to tell apart: set ingestion.samples to click")
    if not predicts_clicks and has_disliked:
        raise ValueError(
            "samples hold items that were disliked, which this recommender would learn as wanted: set recommender.name "
            "to yes_no, or ingestion.samples to last"
        )
