# Every target works in a fresh clone: what it needs is installed first, into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-development
PEERS := $(VENV)/.installed-peers
PIPELINE ?= pretrain_rsp
BENCH ?=
# As many test processes as there are processors to use, at most four; a file's tests stay together.
PARALLEL := -n $(shell nproc 2>/dev/null || echo 2) --maxprocesses 4 --dist loadfile
# A test that hangs fails after so many seconds; one that hangs in a library's own code ends its process.
hangs_after = --timeout $(1) -o faulthandler_timeout=$(shell expr $(1) + 60) -o faulthandler_exit_on_timeout=true
MINUTES ?= 10
export MLFLOW_DISABLE_TELEMETRY := true
export KEDRO_DISABLE_TELEMETRY := true
# Compiled modules are kept, whatever the shell says: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow fuzz lint types format viz docs notebook bench mlflow clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No python3 found; name yours: make PYTHON=... " >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(DEVELOPMENT): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,cluster]"
	@touch $@

install: $(DEVELOPMENT) ## Create .venv and install the project with its development tools

demo: $(INSTALLED) ## Render the sample world and pretrain RSP on it, end to end
	$(BIN)/kedro run --pipelines pretrain_rsp
	@echo "Look at data/08_reporting/ (pictures), then: make viz, make notebook, make mlflow"

test: install ## Run the tests (slow ones are in test-slow)
	$(BIN)/python -m pytest -q -m "not slow" --instafail $(call hangs_after,300) $(PARALLEL)

test-slow: install ## Run the slow tests
	$(BIN)/python -m pytest -q -m "slow" --instafail --durations=15 $(call hangs_after,1200) $(PARALLEL)

fuzz: install ## Feed new random examples to the parsers and the property tests for ten minutes, or MINUTES=n
	VIDREP_HYPOTHESIS=random $(BIN)/python -m pytest -m "hypothesis or fuzz" --fuzz-minutes $(MINUTES)

lint: install ## Check style, formatting and the dependency rules between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: install ## Check types
	$(BIN)/mypy

format: install ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

viz: $(INSTALLED) ## Build the static lineage site in build/viz and say how to look at it
	$(BIN)/python scripts/build_viz.py

docs: $(INSTALLED) ## Write the pages that are made from results: docs/how_fast.md
	$(BIN)/python scripts/how_fast.py

notebook: install ## Open the notebooks on the catalog
	$(BIN)/kedro jupyter lab

$(PEERS): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	@touch $@

bench: $(PEERS) ## Run the benchmarks, or one of them: make bench BENCH=rsp_pair_loading
	$(BIN)/python -m benchmarks.run $(if $(BENCH),--only $(BENCH))

mlflow: $(INSTALLED) ## Open the run tracker's user interface
	$(BIN)/mlflow ui --backend-store-uri sqlite:///$${VIDREP_DATA:-data}/mlflow.db

clean: ## Remove caches and built pages (never data)
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
