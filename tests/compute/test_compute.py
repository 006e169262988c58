"""Device, precision and shrinking batches."""

import logging

import pytest
import torch

from coresift.compute import (
    compute_facts,
    in_shrinking_batches,
    progress_bar,
    resolve_device,
    resolve_dtype,
    use_threads,
)


def test_auto_device_exists_and_unknown_ones_are_refused() -> None:
    assert resolve_device("auto").type in {"cpu", "cuda", "mps"}
    assert resolve_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="'cuda' is not available here: set device"):
            resolve_device("cuda")


def test_auto_dtype_is_float32_on_a_cpu() -> None:
    cpu = torch.device("cpu")
    assert resolve_dtype("auto", cpu) == torch.float32
    assert resolve_dtype("bfloat16", cpu) == torch.bfloat16
    assert compute_facts("cpu", "auto", 2) == compute_facts("cpu", "float32", 2)
    assert len({compute_facts("cpu", dtype, n) for dtype in ("float32", "bfloat16", "nf4") for n in (1, 2)}) == 6
    with pytest.raises(ValueError, match="unknown dtype 'float8'"):
        resolve_dtype("float8", cpu)


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    assert use_threads(1) == 1
    assert torch.get_num_threads() == 1
    assert use_threads(0) >= 1
    torch.set_num_threads(before)


def test_a_batch_that_does_not_fit_is_halved(caplog: pytest.LogCaptureFixture) -> None:
    def sizes_up_to_three(rows: slice) -> int:
        size = rows.stop - rows.start
        if size > 3:
            raise torch.OutOfMemoryError
        return size

    with caplog.at_level(logging.WARNING, logger="coresift"):
        parts = list(in_shrinking_batches(sizes_up_to_three, 10, 8))
    assert [rows.start for rows, _ in parts] == [0, 2, 4, 6, 8]
    assert sum(size for _, size in parts) == 10
    assert "continuing with 2 rows" in caplog.text


def test_a_single_row_that_does_not_fit_is_an_error() -> None:
    def never(rows: slice) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        list(in_shrinking_batches(never, 2, 2))


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress_bar([1, 2], description="counting")) == [1, 2]
    assert capsys.readouterr().err == ""
