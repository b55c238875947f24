# The environment is .venv; the stamps in it say what was installed, so that a second run is quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
# Older ones know no dependency groups.
PIP_VERSION := 26.3
# Wheels only: a machine without a compiler must do. The project itself is always built from here.
INSTALL := $(PIP) install --quiet --only-binary :all:

DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
COVERAGE_OF_STREAMS := 95

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench tiers clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed-demo ## Watch it work; options in DEMO_ARGS="--seconds 60 --plain"
	@$(BIN)/feedback demo $(DEMO_ARGS)

test: $(VENV)/installed-development ## Run every test that this machine can run; options in TEST_ARGS
	$(BIN)/coverage run -m pytest $(TEST_ARGS)
	@if $(BIN)/python -m tests.tiers --quiet && [ -z "$(TEST_ARGS)" ]; \
	then minimum=$(COVERAGE_OF_STREAMS); else minimum=0; fi; \
	$(BIN)/coverage report --skip-covered --include='streams/*' --fail-under=$$minimum

lint: $(VENV)/installed-development ## Check style, types and that generated files are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/feedback render --check

format: $(VENV)/installed-development ## Format the code and repair what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-development ## Run the benchmarks; options for the first in BENCH_ARGS
	$(BIN)/python bench/throughput.py $(BENCH_ARGS)
	$(BIN)/python bench/exporter.py
	$(BIN)/python bench/storage.py
	$(BIN)/python bench/latency.py

tiers: $(VENV)/installed-development ## Say which tiers of tests this machine can run
	@$(BIN)/python -m tests.tiers

clean: ## Remove everything that these targets made
	rm -rf $(VENV) build dist .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed: make PYTHON=python3.11 ...")'
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/pip-$(PIP_VERSION): | $(BIN)/python
	@$(PIP) install --quiet pip==$(PIP_VERSION)
	@touch $@

$(VENV)/installed-demo: pyproject.toml $(VENV)/pip-$(PIP_VERSION)
	@echo "Installing into $(VENV)"
	@$(INSTALL) --editable '.[demo]'
	@touch $@

$(VENV)/installed-development: pyproject.toml $(VENV)/pip-$(PIP_VERSION)
	@echo "Installing into $(VENV), with what tests and checks need"
	@$(INSTALL) --editable '.[demo,render]' --group test --group lint
	@touch $@
