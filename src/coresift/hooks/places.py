"""Where the data lies: one decision on ``data_dir`` and ``raw_dir``, made from every file and command line alike.

Later ones win: parameter files of ``base``, of the environment, of ``conf/local``, then ``--params``. A place is a
name, never a pattern, a reference or a number; a relative one lies in the project's folder, ``~`` is the user's own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unicodedata import category

from fsspec import get_filesystem_class
from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

PLACES = ("data_dir", "raw_dir")
LOCAL_PROTOCOLS = ("file", "local")
LONGEST_NAME, LONGEST_PATH = 255, 4096
"""Bytes that file systems allow."""
LONGEST_BELOW = 200
"""Characters of the longest path that a run makes below its data folder, generously."""


def read_parameters(loader: OmegaConfigLoader) -> dict[str, Any]:
    """Return the parameters of all files, those of ``conf/local`` over the others, and those of the command line last.

    Raises:
        ValueError: If a file cannot be read, or a value refers to another that does not exist.
    """
    own = Path(loader.conf_source) / "local"
    try:
        raw = loader["parameters"]
        if "data_dir" not in raw:
            raise MissingConfigException(
                f"'{loader.conf_source}' holds no parameters that Kedro finds: it takes [, ], * and ? in the path of a "
                f"configuration for a pattern, so that the project must lie elsewhere"
            )
        if not own.is_dir():
            return raw
        local = loader.load_and_merge_dir_config(str(own), loader.config_patterns["parameters"], "parameters", set())
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"parameter '{error.full_key}' cannot be read ({reason}): '${{' begins a reference to another value, so "
            f"that no name can hold it"
        ) from error
    except MissingConfigException as error:
        raise ValueError(str(error)) from error
    except YAMLError as error:
        raise ValueError(f"the parameters cannot be read: {' '.join(str(error).split())}") from error
    return _merged(raw, local)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return two sets of parameters as one, section by section."""
    both = {
        name: _merged(below[name], value) if isinstance(value, dict) and isinstance(below.get(name), dict) else value
        for name, value in above.items()
    }
    return {**below, **both}


def settled(name: str, value: str, project_path: Path) -> str:
    """Return a place as everything reads it: an absolute path on this machine, or an address elsewhere.

    Args:
        name: The parameter.
        value: What was given.
        project_path: The project's folder.

    Raises:
        ValueError: If no folder can have that name.
    """
    if not value.strip():
        raise ValueError(f"{name} is empty: name a folder")
    if "${" in value:
        raise ValueError(f"{name} holds '${{', which begins a reference to another value: choose another name")
    if any(category(character) in ("Cc", "Cs") for character in value):
        raise ValueError(f"{name} holds a line end or another control character: choose another name")
    protocol, mark, path = value.partition("://")
    if not mark:
        path = value
    elif protocol not in LOCAL_PROTOCOLS or name == "raw_dir":
        if name == "data_dir":
            _check_store(name, protocol)
        return value
    expanded = os.path.expanduser(path)  # of a `Path`, ./~ would be ~
    if expanded.startswith("~"):
        raise ValueError(f"{name}: '{value}' names a user whom this machine does not know: write it out, or as ./~")
    return str(project_path / expanded)


def _check_store(name: str, protocol: str) -> None:
    """Stop where fsspec knows no store of that kind that can be written to."""
    if protocol in ("http", "https"):
        raise ValueError(f"{name}: an address of {protocol} can only be read: name a folder, or a store such as s3://")
    try:
        get_filesystem_class(protocol)
    except (ValueError, ImportError) as error:
        raise ValueError(f"{name}: {protocol}:// cannot be used ({error}): name a folder, or another store") from error


def check_readable(name: str, place: str) -> None:
    """Stop unless something is where raw data is said to be; what lies elsewhere is looked for when it is read.

    Raises:
        ValueError: If nothing is there, or nobody may look.
    """
    if "://" in place:
        return
    try:
        os.stat(place)
    except OSError as error:
        raise ValueError(f"{name}: '{_shown(place)}' cannot be read ({_reason(error)}): check the path") from error


def check_writable(name: str, place: str, targets: Iterable[str]) -> None:
    """Stop unless a local data folder, and every file or folder of a run in it, can be made; nothing is left behind.

    Args:
        name: The parameter.
        place: The data folder, or an address elsewhere, which shows when it is written to.
        targets: Paths that the run will write; those that do not lie in the data folder are not looked at.

    Raises:
        ValueError: If something is in the way, a name is too long, or nobody may write there.
    """
    if "://" in place:
        return
    from coresift.storage import WORK_FOLDER_NAME

    folder = Path(place)
    wanted = {folder / WORK_FOLDER_NAME, *(path for path in map(Path, targets) if folder in path.parents)}
    try:
        for existing in sorted({_nearest(path) for path in wanted}):
            with tempfile.TemporaryDirectory(prefix=".coresift-", dir=existing):
                pass
    except OSError as error:
        raise ValueError(
            f"{name}: '{_shown(place)}' cannot be written to ({_reason(error)}): choose another folder"
        ) from error


def _nearest(path: Path) -> Path:
    """Return the nearest folder above or at a path that exists, having looked at every name on the way.

    Raises:
        OSError: If the path leads through a file or a link to nowhere, or is too long.
    """
    # `lstat` sees a link that leads nowhere, where `exists` would take its name for a free one.
    found = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in path.parts) or (
        len(os.fsencode(path)) + LONGEST_BELOW > LONGEST_PATH
    ):
        raise OSError("the name is too long")
    if not found.exists():
        raise OSError(f"'{found}' is a link that leads nowhere")
    if not found.is_dir():
        raise OSError(f"'{found}' is a file")
    return found


def _shown(place: str) -> str:
    """Return a path as messages show it, without the middle of a long one."""
    return place if len(place) <= 200 else f"{place[:100]} … {place[-50:]}"


def _reason(error: OSError) -> str:
    return error.strerror.lower() if error.strerror else str(error)
