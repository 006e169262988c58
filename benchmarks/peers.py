"""Other libraries, each in an environment of its own: `benchmarks/requirements` pins them, a file an environment.

    python -m venv build/trl && build/trl/bin/pip install -r benchmarks/requirements/trl.txt
    python -m benchmarks.finetuning.training_loop --peer trl=build/trl/bin/python

What runs there may import nothing of the project but this file and `cells.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence

from benchmarks.cells import Figures


class PeerError(Exception):
    """The last line that a failed peer wrote."""


def add_peers(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add ``--peer NAME=PYTHON``, once for every environment; the namespace gets a dictionary of them."""

    def pair(text: str) -> tuple[str, str]:
        name, equals, python = text.partition("=")
        if name not in names or not equals:
            raise argparse.ArgumentTypeError(f"'{text}' is not NAME=PYTHON with a name of {', '.join(names)}")
        return name, python

    parser.add_argument(
        "--peer",
        dest="peers",
        type=pair,
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help=f"interpreter of an environment with {' or '.join(names)} (benchmarks/requirements)",
    )


def run_module(python: str, module: str, *arguments: object, **variables: str) -> Figures:
    """Run a module in an interpreter of its own, and return what its last line says in JSON; others are shown.

    Raises:
        PeerError: If it fails.
    """
    command = [python, "-m", module, *map(str, arguments)]
    answer = ""
    with tempfile.TemporaryFile("w+") as errors:
        started = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | variables
        )
        with started as process:
            for line in process.stdout or ():
                print(answer, end="", flush=True)
                answer = line
        if process.returncode or not answer:
            errors.seek(0)
            raise PeerError((errors.read().strip().splitlines() or [f"ended with {process.returncode}"])[-1])
    figures: Figures = json.loads(answer)
    return figures
