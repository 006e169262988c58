"""Models of the Hugging Face Hub as local folders, from the cache wherever they are in it."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

_TEXT_AND_SAFE_WEIGHTS = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
_OTHER_FORMATS = ["*/*"]


def hub_snapshot(model: str, revision: str | None = None) -> Path:
    """Return the local folder of one revision of a model; its name is the commit.

    The cache is asked first, so that a revision fetched once needs no network. Only weights in safetensors and text
    files are fetched.

    Args:
        model: Hub id such as ``org/name``.
        revision: Commit, tag or branch; None is the main branch.

    Raises:
        ValueError: If it is neither in the cache nor to be had.
    """
    try:
        return _snapshot(model, revision, local_files_only=True)
    except LocalEntryNotFoundError:
        pass
    try:
        return _snapshot(model, revision, local_files_only=False)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ValueError(
            f"model '{model}' (revision {revision or 'main'}) could not be fetched from the Hugging Face Hub: "
            "check its name and the network, or give the path of a local copy"
        ) from error


def _snapshot(model: str, revision: str | None, *, local_files_only: bool) -> Path:
    folder = snapshot_download(
        model,
        revision=revision,
        allow_patterns=_TEXT_AND_SAFE_WEIGHTS,
        ignore_patterns=_OTHER_FORMATS,
        local_files_only=local_files_only,
    )
    return Path(folder)
