"""Errors for the user become a sentence; defects keep their traceback."""

import json

import numpy as np
import pytest
from kedro.io import DatasetError

from coresift.cli import is_for_the_user
from coresift.hooks import check_parameters


def caught(function, *arguments):
    with pytest.raises(Exception) as info:
        function(*arguments)
    return info.value


def fail_to_save():
    raise DatasetError("no such folder")


def test_the_project_s_own_sentences_are_for_the_user():
    assert is_for_the_user(caught(check_parameters, {"devise": "cpu"}))
    assert is_for_the_user(caught(fail_to_save))


def test_errors_from_libraries_are_defects():
    assert not is_for_the_user(caught(np.zeros(3).reshape, 2))
    assert not is_for_the_user(caught(json.loads, "{"))
    assert not is_for_the_user(caught({}.__getitem__, "a"))
