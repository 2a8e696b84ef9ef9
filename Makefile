# make demo: set everything up and run the main job on the embedded, simulated scenario.
# make test: set everything up and run every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint types tests clean

demo: $(VENV)/.runtime
	$(BIN)/python -m mtmc.run --scenario sim-S06

test: lint types tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

tests: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# The locks name every package, so nothing is resolved: --no-deps keeps out openvino-telemetry, which reports use over the
# network from a forked process, and opencv-python, which needs system libraries
# for windows and would replace opencv-python-headless.
$(VENV)/.runtime: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps -r requirements-dev.lock
	touch $@

clean:
	rm -rf $(VENV) cache runs
