# make demo        set everything up and run the main job on the embedded, simulated scenario
# make test        set everything up and run every check: lint, types, tests
# make coverage    run the tests and print the coverage of each file
# make benchmarks  set up what the benchmarks compare with, and run each of them once on a tiny problem
# make docs        build the documentation site into site/
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: demo test lint types tests coverage benchmarks docs clean

demo: $(VENV)/.runtime
	$(BIN)/python -m mtmc.run --scenario sim-S07-short

test: lint types tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

tests: $(VENV)/.dev
	$(PYTEST)

coverage: $(VENV)/.dev
	$(PYTEST) --cov --cov-report=term

benchmarks: $(VENV)/.benchmarks
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m benchmark tests/benchmarks

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The locks list every package, so pip resolves nothing. --no-deps also keeps out two packages that others ask for:
# openvino-telemetry, which reports usage over the network from a forked process, and opencv-python, which needs system
# libraries for its windows and would overwrite opencv-python-headless.
$(VENV)/.runtime: requirements.lock pyproject.toml setup.py
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps -r requirements-dev.lock
	touch $@

$(VENV)/.benchmarks: $(VENV)/.dev requirements-benchmarks.lock
	$(BIN)/pip install --quiet --no-deps -r requirements-benchmarks.lock
	touch $@

$(VENV)/.docs: $(VENV)/.runtime requirements-docs.lock
	$(BIN)/pip install --quiet --no-deps -r requirements-docs.lock
	touch $@

clean:
	rm -rf $(VENV) cache runs site
