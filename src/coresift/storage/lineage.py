"""Where a dataset came from: the runs and stages behind it, kept beside it, and the check that inputs share one origin.

A stage (a node of a pipeline) is named by a fingerprint of what it was given: the fingerprints of the stages behind its
inputs, and its parameters. Equal fingerprints mean equal data, whichever run computed them; datasets that rest on two
different fingerprints of one stage do not belong together, although their ids may match.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Self

from coresift.storage.location import Location

LINEAGE_FILE = ".lineage.json"
"""Name of the file in a version's folder, beside the dataset."""


@dataclass(frozen=True)
class Lineage:
    """What one version of a dataset was made from.

    Attributes:
        made_by: Name of the stage that wrote it.
        stages: Fingerprint of every stage behind it, and of the one that wrote it, by name.
        code: Version of the project that wrote it.
    """

    made_by: str
    stages: Mapping[str, str]
    code: str

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the stage that wrote the dataset."""
        return self.stages[self.made_by]

    def rests_on(self, other: Self) -> bool:
        """Whether the stage that wrote another dataset, or one equal to it, stands behind this one."""
        return self.stages.get(other.made_by) == other.fingerprint

    def parted_by(self, other: Self) -> str | None:
        """Return the name of a stage of which the two rest on different results; None where they agree."""
        shared = (name for name in self.stages if name in other.stages)
        return next((name for name in shared if self.stages[name] != other.stages[name]), None)


def check_one_origin(reader: str, inputs: Mapping[str, Lineage], runs: Mapping[str, str]) -> None:
    """Stop where datasets that are read together were made from different results of one stage.

    Args:
        reader: Name of the stage that reads them.
        inputs: The lineage of every dataset that has one, by name.
        runs: The run that wrote each of them, which is its version.

    Raises:
        ValueError: Naming two datasets, their runs, and what to run again.
    """
    for first, second in combinations(inputs, 2):
        stage = inputs[first].parted_by(inputs[second])
        if stage is None:
            continue
        older, newer = sorted((first, second), key=lambda name: runs[name])
        raise ValueError(
            f"{reader} would read {older} of run {runs[older]} with {newer} of run {runs[newer]}, which rest on "
            f"different results of {stage}: bring {older} up to date with "
            f"kedro run --pipelines={inputs[older].made_by.partition('.')[0]}, or read versions that belong together "
            f"with --load-versions."
        )


def write_lineage(version: Location, lineage: Lineage) -> None:
    """Write the lineage of a dataset into its version's folder, whole or not at all."""
    with _file_of(version).writing_file() as draft:
        draft.write_text(json.dumps(asdict(lineage), indent=2, sort_keys=True), encoding="utf-8")


def read_lineage(version: Location) -> Lineage | None:
    """Return the lineage kept in a version's folder; None where there is none.

    Raises:
        ValueError: If the file is damaged.
    """
    file = _file_of(version)
    if not file.exists():
        return None
    try:
        lineage = Lineage(**json.loads(file.local_copy().read_text(encoding="utf-8")))
        dict(lineage.stages)[lineage.made_by]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"'{file.path}' is damaged: delete this version, or run its pipeline again") from error
    return lineage


def _file_of(version: Location) -> Location:
    return Location(version.filesystem, f"{version.path.rstrip('/')}/{LINEAGE_FILE}")
