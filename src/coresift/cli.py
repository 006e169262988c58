"""The project's commands: ``kedro run`` whose mistakes of the user end in one sentence instead of a traceback."""

from __future__ import annotations

import os
import re
import traceback
from copy import copy
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import _split_params as _split_by_kedro
from kedro.framework.project import settings
from kedro.io import DatasetError
from kedro.utils import find_kedro_project
from kedro.validation import DataValidationError, ParameterValidationError
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from coresift.hooks.parameter_checks import check_parameters, is_text
from coresift.hooks.places import read_parameters, settled

PACKAGE = str(Path(__file__).parent)
TRACEBACK_VARIABLE = "CORESIFT_TRACEBACK"


def is_for_the_user(error: Exception) -> bool:
    """Whether an error is a sentence of this project about its input, rather than a defect.

    A defect keeps its traceback: only errors that the project itself raises on purpose are shown as a sentence, and
    those of a full disk.
    """
    if isinstance(error, DatasetError | DataValidationError | ParameterValidationError):
        return True
    from coresift.storage import disk_failure

    if disk_failure(error) is not None:
        return True
    innermost = traceback.extract_tb(error.__traceback__)[-1].filename
    return isinstance(error, ValueError) and innermost.startswith(PACKAGE)


def _sentence(error: Exception) -> str:
    """Return what an error says, or what is wrong with the disk, of which most libraries speak in their own terms."""
    from coresift.storage import DiskError, disk_failure

    reason = None if isinstance(error, DiskError) else disk_failure(error)
    if reason is None:
        return str(error)
    return f"a file could not be written ({reason}): make room in data_dir, or choose another one, and run again"


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
            raise click.ClickException(
                f"{_sentence(error)}\n(set {TRACEBACK_VARIABLE}=1 to see where it was raised)"
            ) from None


@click.group(name="coresift")
def cli() -> None:
    """Commands of this project."""


_ITEM = re.compile(
    r"""\s*(?P<name>[^=,\s][^=,]*?)\s*=
    (?P<value>\s*(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*|[^,]*)  # in quotes there may be commas
    (?:,|$)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = ("", "~", "null", "Null", "NULL")


def split_parameters(ctx: click.Context, option: click.Parameter, value: str | dict[str, Any]) -> dict[str, Any]:
    """Read ``--params`` as Kedro does, except that a parameter that is text keeps its text, whatever it looks like.

    Kedro takes ``raw_dir=2018`` for a number, ``data_dir=a #1`` for ``a`` and ``data_dir=~`` for nothing.

    Raises:
        click.BadParameter: If a value cannot be read.
    """
    items = [] if isinstance(value, dict) else list(_ITEM.finditer(value))
    if "".join(item[0] for item in items) != value:
        return _split_by_kedro(ctx, option, value)
    given = OmegaConf.create()
    for item in items:
        try:
            _add_parameter(given, item["name"], item["value"], quoted=item["quoted"] is not None)
        except (OmegaConfBaseException, YAMLError) as error:
            reason = str(error).splitlines()[0]
            raise click.BadParameter(f"{item['name']} cannot be read ({reason})", ctx, option) from error
    return dict(OmegaConf.to_container(given))  # type: ignore[arg-type]


def _add_parameter(given: DictConfig, name: str, value: str, *, quoted: bool) -> None:
    """Add a parameter as text, where it takes nothing else, or as what YAML reads in it."""
    takes_text, takes_nothing = is_text(name)
    if takes_text and not quoted and not (takes_nothing and value.strip() in _NOTHING):
        OmegaConf.update(given, name, value.strip())
    else:
        given.merge_with_dotlist([f"{name}={value}"])


def _run_options() -> list[click.Parameter]:
    """Return the options of ``kedro run``, of which ``--params`` is read by this project."""
    options = [copy(option) for option in kedro_run.params]
    next(option for option in options if option.name == "params").callback = split_parameters
    return options


run = OneSentence(name="run", callback=kedro_run.callback, params=_run_options(), help=kedro_run.help)
cli.add_command(run)


@cli.command(name="compare", cls=OneSentence)
@click.argument("first", type=click.Path(exists=True, path_type=Path))
@click.argument("second", type=click.Path(exists=True, path_type=Path))
@click.option("--method", default="tuned", show_default=True, help="Method of the first run.")
@click.option("--against", help="Method of the second run; the same one by default.")
@click.option("--masked/--unmasked", default=True, show_default=True, help="Whether the history is masked.")
def compare(first: Path, second: Path, method: str, against: str | None, masked: bool) -> None:
    """Compare two evaluated runs user by user.

    FIRST and SECOND are data folders, or files user_metrics.parquet; the same one twice compares two methods of a run.
    """
    from coresift.evaluation import compare_runs, comparison_lines, read_user_metrics

    tables = [read_user_metrics(place) for place in (first, second)]
    click.echo("\n".join(comparison_lines(compare_runs(*tables, method=method, against=against, masked=masked))))


@cli.command(name="convert-dealrec", cls=OneSentence)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
def convert_dealrec(source: Path, target: Path) -> None:
    """Turn a corpus published with DEALRec into the tables that --env games reads.

    SOURCE is a folder of its .npy files, TARGET receives interactions.parquet and items.parquet.
    """
    from coresift.corpus.formats.dealrec_files import convert_dealrec as convert

    counts = ", ".join(f"{count:,} {name}" for name, count in convert(source, target).items())
    click.echo(f"{counts}: kedro run --env games --params raw_dir={target}")


def _usual_data_folder() -> str:
    """Return the data folder of runs without further options: that of the project in or above the working folder.

    Raises:
        click.UsageError: If the project's parameters cannot be read.
    """
    project = find_kedro_project(Path.cwd())
    if project is None:
        return "data"
    loader = settings.CONFIG_LOADER_CLASS(str(project / settings.CONF_SOURCE), **settings.CONFIG_LOADER_ARGS)
    try:
        parameters = read_parameters(loader)
        check_parameters(parameters)
        return settled("data_dir", parameters["data_dir"], project)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


DATA_FOLDER = click.option(
    "--data-dir",
    default=_usual_data_folder,
    show_default="data_dir of the project's parameters",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that holds every dataset.",
)


@cli.command(name="forget", cls=OneSentence)
@click.option("--user", required=True, help="The user's id as the raw data has it.")
@DATA_FOLDER
def forget(user: str, data_dir: Path) -> None:
    """Remove a user's rows, states and exports from a data folder, and name the models that saw them."""
    from coresift.personalization import forget_user

    done = forget_user(data_dir, user)
    for path, rows in done.rows.items():
        click.echo(f"{rows:>8} rows out of {path}")
    for model in done.models:
        click.echo(f"{model} learned from this user: train it again")
    for path, reason in done.unreached.items():
        click.echo(f"{path} may still hold rows of this user, for {reason}: delete this version, or make it again")
    click.echo("The raw data were not touched: take the user out of them too before the next ingestion.")


@cli.command(name="export-adapters", cls=OneSentence)
@click.option("--user", help="Write one user's plain LoRA; the user's id as the raw data has it.")
@click.option("--groups", type=click.IntRange(min=1), help="Write the plain LoRAs of so many groups of users.")
@DATA_FOLDER
def export_adapters(user: str | None, groups: int | None, data_dir: Path) -> None:
    """Export a personalized adapter for serving: the shares of all users, or plain LoRAs of one user or of groups."""
    from coresift.personalization import DataDirectoryExports

    exports = DataDirectoryExports(data_dir)
    if user is not None:
        click.echo(exports.user(user))
    if groups is not None:
        click.echo(exports.groups(groups))
    if user is None and groups is None:
        click.echo(exports.gates())
