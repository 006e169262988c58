# make run: set everything up and run the main job.  make test: the same set-up, then the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export KEDRO_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1

.PHONY: run test lint viz clean setup fuzz

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c requirements.lock torch
	$(BIN)/python -m pip install --quiet -c requirements.lock -e ".[viz,dev]"
	touch $@

run: setup
	$(BIN)/kedro run

test: setup
	$(BIN)/pytest -n 2 --dist loadfile

fuzz: setup
	CORESIFT_FUZZ_SECONDS=600 $(BIN)/pytest tests/corpus/test_fuzz_readers.py tests/corpus/test_fuzz_values.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

viz: setup
	$(BIN)/kedro viz run

clean:
	rm -rf data/.work build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
