"""Folders in which long work is built and resumed before it moves into its version."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from coresift.storage.fingerprints import fingerprint

WORK_FOLDER_NAME = ".work"


def work_folder(data_dir: str, name: str, *parts: object) -> Path:
    """Return ``<data_dir>/.work/<name>-<fingerprint of parts>``, made if missing.

    Equal parts lead to the same folder, so that a killed run finds what it had; different parts, and different
    versions of the project's code, never meet.

    Args:
        data_dir: The project's data folder. Where it is remote, the work is done in the machine's temporary folder.
        name: What is made, for people who look.
        parts: Everything the result depends on beside the code: inputs, parameters. See
            :func:`coresift.storage.fingerprint` for the types allowed.
    """
    root = Path(tempfile.gettempdir()) / "coresift" if "://" in data_dir else Path(data_dir)
    folder = root.absolute() / WORK_FOLDER_NAME / f"{name}-{fingerprint(_code(), *parts)}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def _code() -> str:
    """Return the fingerprint of the project's source files."""
    package = Path(__file__).parents[1]
    return fingerprint(*(file.read_bytes() for file in sorted(package.rglob("*.py"))))
