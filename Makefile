# Every target works in a fresh clone: what it needs is installed first, into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-development
DOCUMENTATION := $(VENV)/.installed-documentation
PEERS := $(VENV)/.installed-peers
PIPELINE ?= pretrain_rsp
BENCH ?=
FROM ?=
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
.PHONY: help install demo test test-slow fuzz lint types format docs measured lock viz notebook bench report mlflow clean

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

$(DOCUMENTATION): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	@touch $@

install: $(DEVELOPMENT) ## Create .venv and install the project with its development tools

demo: $(INSTALLED) ## Render the sample world and pretrain RSP on it, end to end
	$(BIN)/kedro run --pipelines pretrain_rsp
	@echo "Look at data/08_reporting/report.html, then: make viz, make notebook, make mlflow"

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

docs: $(DOCUMENTATION) ## Write docs/how_fast.md from the benchmarks, and the documentation as a site in build/docs
	$(BIN)/python scripts/how_fast.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "Look at build/docs/index.html"

measured: $(INSTALLED) ## Write the tables of what was measured, with FROM=data after taking over what its runs have left
	$(BIN)/python scripts/measured_on.py $(FROM)

lock: ## Write requirements.lock anew from pyproject.toml and constraints.txt (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11.5 --constraint constraints.txt \
	  --no-header --no-annotate --generate-hashes --quiet --output-file requirements.lock

viz: $(INSTALLED) ## Build the static lineage site in build/viz and say how to look at it
	$(BIN)/python scripts/build_viz.py

notebook: install ## Open the notebooks on the catalog
	$(BIN)/kedro jupyter lab

$(PEERS): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	@touch $@

bench: $(PEERS) ## Run the benchmarks, or one of them: make bench BENCH=rsp_pair_loading
	$(BIN)/python -m benchmarks.run $(if $(BENCH),--only $(BENCH))

report: $(INSTALLED) ## Write data/08_reporting/report.html: all that was trained and measured, on one page
	$(BIN)/kedro report

mlflow: $(INSTALLED) ## Serve the run tracker's pages and say where the table of runs is
	$(BIN)/python scripts/mlflow_ui.py

clean: ## Remove caches and built pages (never data)
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
