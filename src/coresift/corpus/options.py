"""Everything that can be chosen about ingestion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Le
from typing_extensions import Doc

from coresift.options import check_options

SplitMethod: TypeAlias = Literal["auto", "given", "global_time", "per_user_time", "leave_one_out", "temporal_cutoff"]
RankingTargets: TypeAlias = Literal["last", "sliding_window", "all_prefixes"]
SampleKind: TypeAlias = Literal[RankingTargets, "click"]
ItemText: TypeAlias = Literal["title", "title_and_category"]
EngineName: TypeAlias = Literal["duckdb", "spark"]


@dataclass(frozen=True)
class CorpusOptions:
    """How raw tables become a corpus.

    Raises:
        ValueError: If a value is none of the choices or out of bounds.
    """

    split: Annotated[
        SplitMethod,
        Doc("How to split; auto takes the split that came with the data, else global time (8:1:1, as per_user_time)."),
    ] = "auto"
    valid_from: Annotated[
        str | None, Doc("temporal_cutoff: ISO 8601 time (UTC) of the first validation interaction.")
    ] = None
    test_from: Annotated[str | None, Doc("temporal_cutoff: ISO 8601 time (UTC) of the first test interaction.")] = None
    samples: Annotated[
        SampleKind,
        Doc(
            "Ranking with these targets in training: each user's last item, one per full window, or every item; or "
            "click: one sample per interaction in every split, with label 0 or 1."
        ),
    ] = "last"
    min_history: Annotated[int, Ge(0), Doc("Shortest history of a training sample, in interactions.")] = 1
    max_history: Annotated[
        int,
        Ge(0),
        Doc(
            "Longest history of a training sample, and of every click sample, in interactions; 0 keeps all, but of "
            "all_prefixes and click no more than the latest 1,000."
        ),
    ] = 0
    positive_rating: Annotated[float, Doc("Clicks: lowest rating of label 1.")] = 4.0
    negatives: Annotated[
        int,
        Ge(0),
        Le(1000),
        Doc("Clicks: items the user has not met up to its split, added with label 0 per impression of label 1."),
    ] = 0
    min_rating: Annotated[
        float | None, Doc("Interactions rated lower, or not at all, are dropped; null keeps all.")
    ] = None
    from_time: Annotated[
        str | None, Doc("Interactions before this ISO 8601 time (UTC) are dropped; null keeps all.")
    ] = None
    until_time: Annotated[
        str | None, Doc("Interactions at or after this ISO 8601 time (UTC) are dropped; null keeps all.")
    ] = None
    k_core: Annotated[
        int, Ge(0), Doc("Fewest interactions of every user and item that has any; 0 and 1 drop nothing.")
    ] = 0
    item_text: Annotated[
        ItemText, Doc("What a language model reads of an item: its title, or also its leaf category.")
    ] = "title"
    timestamp_unit: Annotated[
        Literal["auto", "s", "ms", "us", "ns"], Doc("Unit of numeric timestamps; auto tells it from their size.")
    ] = "auto"
    max_rejected_share: Annotated[float, Ge(0), Le(1), Doc("Largest share of a table's rows that may be unusable.")] = (
        0.05
    )
    engine: Annotated[
        EngineName, Doc("Where to compute: duckdb inside this process, or spark, local or a cluster.")
    ] = "duckdb"
    memory_limit: Annotated[
        str | None, Doc("Memory of the engine, as in 4GB; null lets DuckDB take most of the machine.")
    ] = None
    spark: Annotated[
        Mapping[str, str],
        Doc("Settings of Spark by name, such as spark.master for a cluster; local by default."),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_options(CorpusOptions, vars(self), prefix="ingestion.")


@dataclass(frozen=True)
class IngestionOptions(CorpusOptions):
    """How raw tables become a corpus, and what all stages of a run share."""

    threads: Annotated[int, Ge(0), Doc("Threads of the engine; 0 uses every core.")] = 0
    seed: Annotated[int, Ge(0), Doc("Seed of the negatives.")] = 0
