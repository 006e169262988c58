"""Run the project as ``python -m coresift`` or ``coresift``, for installations without the source tree.

Arguments go to the run command, unless they begin with the name of one of the project's commands.
"""

from __future__ import annotations

import sys
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project

from coresift.cli import cli


def main(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Configure the package and pass the arguments on to the command they name, or to the run command."""
    configure_project("coresift")
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    named = sys.argv[1:2] and sys.argv[1] in cli.commands
    return (cli if named else find_run_command("coresift"))(*args, **kwargs)


if __name__ == "__main__":
    main()
