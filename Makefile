# Everything runs in .venv, which each target makes if it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# processes that share the tests, each with one thread
WORKERS ?= 2
export OMP_NUM_THREADS ?= $(shell nproc 2>/dev/null || echo 2)
# threads that wait for each other sleep soon: other programs may want the cores too
export GOMP_SPINCOUNT ?= 10000
export DEEPWELL_DATA ?= $(wildcard $(abspath ../shared/data))

.PHONY: help setup demo test test-all check format bench docs clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Make .venv with the pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

demo: $(STAMP) ## Train on houses and on pictures of clothes, and show the reports
	$(BIN)/python examples/demo.py

test: $(STAMP) ## Run the tests (under ten minutes on two cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" -n $(WORKERS) --dist worksteal

test-all: $(STAMP) ## Run all tests, the slow ones too
	$(BIN)/python -m pytest

check: $(STAMP) ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: $(STAMP) ## Format the code and mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Run the benchmarks and print their tables
	$(BIN)/python -m benchmarks

docs: $(STAMP) ## Make the pictures and tables of the documentation
	$(BIN)/python docs/make.py

clean: ## Remove the environment and what was made
	rm -rf $(VENV) runs dist build
