"""The project's commands: ``kedro run`` whose mistakes of the user end in one sentence instead of a traceback."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from kedro.validation import DataValidationError, ParameterValidationError

PACKAGE = str(Path(__file__).parent)
TRACEBACK_VARIABLE = "CORESIFT_TRACEBACK"


def is_for_the_user(error: Exception) -> bool:
    """Whether an error is a sentence of this project about its input, rather than a defect.

    A defect keeps its traceback: only errors that the project itself raises on purpose are shown as a sentence.
    """
    if isinstance(error, DatasetError | DataValidationError | ParameterValidationError):
        return True
    innermost = traceback.extract_tb(error.__traceback__)[-1].filename
    return isinstance(error, ValueError) and innermost.startswith(PACKAGE)


class OneSentence(click.Command):
    """A command that turns errors for the user into one sentence and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run the command.

        Raises:
            click.ClickException: For an error of the user, unless ``CORESIFT_TRACEBACK`` is set in the environment.
        """
        try:
            return super().invoke(ctx)
        except Exception as error:
            if os.environ.get(TRACEBACK_VARIABLE) or not is_for_the_user(error):
                raise
            raise click.ClickException(f"{error}\n(set {TRACEBACK_VARIABLE}=1 to see where it was raised)") from None


@click.group(name="coresift")
def cli() -> None:
    """Commands of this project."""


run = OneSentence(name="run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help)
cli.add_command(run)
