"""Exports from a data directory: gates of all users, and plain LoRA folders of one user or of groups of users."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from coresift.personalization.plain_lora import export_plain_lora
from coresift.personalization.reclora_model import check_surrogate
from coresift.personalization.sample_states import SampleStates
from coresift.personalization.saved_mixture import SavedMixture
from coresift.personalization.shares_of_users import cluster_users, user_gates, user_shares
from coresift.personalization.stored_files import EXPORTS, stored_file
from coresift.personalization.user_removal import USER_LORA
from coresift.storage import atomic_file, atomic_folder, read_table, read_tensors, whole_versions, write_table
from coresift.surrogate import OF_IMPRESSIONS


@dataclass(frozen=True)
class DataDirectoryExports:
    """What can be exported of the newest adapter in a data directory, with the data that it was tuned on.

    Attributes:
        data_dir: The project's data folder, on this machine.
    """

    data_dir: Path

    def gates(self) -> Path:
        """Write the shares of every user as ``exports/user_gates.parquet`` and return the file."""
        table, _ = self._gates()
        target = self._target("user_gates.parquet") / "user_gates.parquet"
        with atomic_file(target) as draft:
            write_table(draft, table)
        return target

    def user(self, raw_id: str) -> Path:
        """Write the plain LoRA of one user and return its folder.

        Raises:
            ValueError: If the data that the adapter was tuned on do not know the user.
        """
        table, mixture = self._gates()
        users = read_table(self._behind_adapter("intermediate", "users.parquet"), ["user_id", "raw_id"])
        found = np.flatnonzero(np.asarray(users["raw_id"].cast(pa.string())) == raw_id)
        if not len(found):
            raise ValueError(f"no user with raw id '{raw_id}' in '{self.data_dir}': check the id and the folder")
        user = users["user_id"][int(found[0])].as_py()
        target = self._target(USER_LORA) / str(user)
        export_plain_lora(mixture, user_shares(table, mixture, user), target)
        return target

    def groups(self, count: int, *, random_state: int = 0) -> Path:
        """Write a plain LoRA for each of ``count`` groups of users, and which user is in which.

        Returns:
            The folder with ``0``, ``1``, ... and ``groups.parquet`` (user_id, group); an older one is replaced.
        """
        table, mixture = self._gates()
        flat = np.array(table["shares"].combine_chunks().values, dtype=np.float32)
        assigned, centers = cluster_users(
            torch.from_numpy(flat).view(-1, *mixture.shape), count, random_state=random_state
        )
        target = self._target("group_lora")
        with atomic_folder(target) as draft:
            for number, center in enumerate(centers):
                export_plain_lora(mixture, center, draft / str(number))
            groups = pa.table({"user_id": table["user_id"], "group": pa.array(assigned, pa.int32())})
            write_table(draft / "groups.parquet", groups)
        return target

    def _gates(self) -> tuple[pa.Table, SavedMixture]:
        mixture = SavedMixture(self._adapter())
        stored = read_tensors(self._behind_adapter("surrogate", "surrogate_states.safetensors"))
        states = SampleStates(stored)
        check_surrogate(mixture.config, states.surrogate)
        if stored.metadata.items() >= OF_IMPRESSIONS.items():
            raise ValueError(
                f"the gates of the adapter in '{self.data_dir}' read states of impressions (DIN), so its shares belong "
                "to no user: serve it by sample, or tune with surrogate.model sasrec for shares of users"
            )
        samples = read_table(self._behind_adapter("primary", "samples.parquet"), ["sample_id", "user_id", "split"])
        user_id, sample_id = latest_samples(samples)
        return user_gates(mixture, user_id, states.of(torch.from_numpy(sample_id))), mixture

    def _adapter(self) -> Path:
        return self._versions("models", "adapter")[0]

    def _behind_adapter(self, layer: str, name: str) -> Path:
        """Return the newest version that the adapter rests on; one that does not say so counts where none does."""
        adapter = stored_file(self.data_dir, self._adapter())
        for path in self._versions(layer, name):
            if adapter.made_from(stored_file(self.data_dir, path)) is not False:
                return path
        raise ValueError(
            f"no version of {name} in '{self.data_dir}' is of the origin of the newest adapter, so that ids in it name "
            "other users: tune again, or bring back the version that it was tuned on"
        )

    def _versions(self, layer: str, name: str) -> list[Path]:
        """Return the versions of a dataset, the newest first."""
        found = whole_versions(self.data_dir / layer / name)
        if not found:
            raise ValueError(f"'{self.data_dir}' holds no {name}: run the pipelines first, or name another folder")
        return found

    def _target(self, name: str) -> Path:
        return self.data_dir / EXPORTS / name / self._adapter().parent.name


def latest_samples(samples: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return every user (U,) and the user's last sample (U,), whose history is the longest: by split, then by id."""
    user_id, sample_id, split = (
        np.asarray(samples[name], dtype=np.int64) for name in ("user_id", "sample_id", "split")
    )
    order = np.lexsort((sample_id, split, user_id))
    last = np.append(user_id[order][1:] != user_id[order][:-1], True)[: len(order)]
    return user_id[order][last], sample_id[order][last]
