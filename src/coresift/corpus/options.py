"""Everything that can be chosen about ingestion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coresift.corpus.cleaning.catalogue import ItemText
from coresift.corpus.engines.engine import EngineName
from coresift.corpus.sampling.samples import SampleKind
from coresift.corpus.sampling.splits import SplitMethod


@dataclass(frozen=True)
class IngestionOptions:
    """How raw tables become a corpus.

    Attributes:
        split: ``auto`` (the split that came with the data, else global time), ``given``, ``global_time`` and
            ``per_user_time`` (both 8:1:1), ``leave_one_out``, or ``temporal_cutoff``.
        valid_from: Temporal cutoff: ISO 8601 time (UTC) of the first validation interaction.
        test_from: Temporal cutoff: time of the first test interaction.
        samples: Ranking with the training targets ``last``, ``sliding_window`` or ``all_prefixes``; or ``click``: one
            sample per interaction in every split, with label 0 or 1.
        min_history: Shortest history of a training sample, in interactions.
        max_history: Longest history of a training sample, and of every click sample, in interactions; 0 keeps all, but
            of ``all_prefixes`` and ``click`` no more than the latest 1,000.
        positive_rating: Clicks: lowest rating of label 1.
        negatives: Clicks: items the user has not met up to its split, added with label 0 per impression of label 1.
        min_rating: Interactions rated lower, or not at all, are dropped; None keeps all.
        from_time: Interactions before this ISO 8601 time (UTC) are dropped; None keeps all.
        until_time: Interactions at or after this time are dropped; None keeps all.
        k_core: Fewest interactions of every user and item that has any; 0 and 1 drop nothing.
        item_text: What a language model reads of an item: ``title`` or ``title_and_category``.
        timestamp_unit: Unit of numeric timestamps: s, ms, us, ns, or auto.
        max_rejected_share: Largest share of a table's rows that may be rejected.
        engine: Where to compute: ``duckdb`` inside this process, or ``spark``.
        memory_limit: Memory of the engine, such as ``"4GB"``; None lets DuckDB take most of the machine.
        spark: Settings of Spark, such as ``{"spark.master": "spark://host:7077"}``; local by default.
        threads: Threads of the engine; 0 uses every core.
        seed: Seed of the negatives.
    """

    split: SplitMethod = "auto"
    valid_from: str | None = None
    test_from: str | None = None
    samples: SampleKind = "last"
    min_history: int = 1
    max_history: int = 0
    positive_rating: float = 4.0
    negatives: int = 0
    min_rating: float | None = None
    from_time: str | None = None
    until_time: str | None = None
    k_core: int = 0
    item_text: ItemText = "title"
    timestamp_unit: str = "auto"
    max_rejected_share: float = 0.05
    engine: EngineName = "duckdb"
    memory_limit: str | None = None
    spark: Mapping[str, str] = field(default_factory=dict)
    threads: int = 0
    seed: int = 0
