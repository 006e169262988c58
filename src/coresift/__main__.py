"""Run the project as ``python -m coresift`` or ``coresift``, for installations without the source tree."""

from __future__ import annotations

import sys
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Configure the package and pass the arguments on to the run command."""
    configure_project("coresift")
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command("coresift")(*args, **kwargs)


if __name__ == "__main__":
    main()
