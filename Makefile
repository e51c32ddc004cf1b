# Everything runs in .venv, made from uv.lock; nothing else has to be installed or active.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
STATE := $(CURDIR)/.jetstream
export DAGSTER_HOME := $(STATE)/dagster_home
DEMO := $(STATE)/demo

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick dev lint bench bench-statistics bench-incremental bench-orchestration bench-memory clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The stamp is newer than the lock exactly when the environment matches it.
.venv/.synced: uv.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; found $$($(BIN)/python -V). Set PYTHON=python3.12, say." >&2; \
	    rm -rf .venv; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv sync --frozen --inexact --active --no-python-downloads --compile-bytecode --quiet
	@touch $@

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p $(DAGSTER_HOME) && cp dagster.yaml $@

demo: .venv/.synced $(DAGSTER_HOME)/dagster.yaml  ## generate telemetry, analyse the demo experiments, say where the results are
	@$(BIN)/jetstream demo --folder .jetstream/demo

test: .venv/.synced  ## the whole suite
	@$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

test-quick: .venv/.synced  ## without the slow tests
	@$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not slow"

dev: .venv/.synced $(DAGSTER_HOME)/dagster.yaml  ## UI, daemon and code server with the demo's data
	@test -f $(DEMO)/experiments.json || $(BIN)/jetstream demo --folder .jetstream/demo
	@JETSTREAM_CONFIGURATION=$(DEMO)/configuration JETSTREAM_EXPERIMENTS=$(DEMO)/experiments.json \
	  JETSTREAM_WAREHOUSE=$(DEMO)/warehouse JETSTREAM_OUTPUT=$(DEMO)/output \
	  PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dagster dev -w workspace.yaml

lint: .venv/.synced  ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: .venv/.synced  ## the benchmarks, written to benchmarks/results
	@for benchmark in benchmarks/bench_*.py; do $(BIN)/python $$benchmark || exit 1; done

bench-statistics: .venv/.synced  ## the statistics side by side with mozanalysis, then up to 10 million units
	@$(BIN)/python benchmarks/bench_statistics.py
	@$(BIN)/python benchmarks/bench_statistics.py --memory
	@$(BIN)/python benchmarks/bench_statistics.py --scale

bench-incremental: .venv/.synced  ## a 60-day experiment day by day and as one backfill, against single-window queries
	@$(BIN)/python benchmarks/bench_incremental.py

bench-orchestration: .venv/.synced  ## runs, ticks, backfills and the partitions page beyond the analysis itself
	@$(BIN)/python benchmarks/bench_orchestration.py

bench-memory: .venv/.synced  ## the memory of a run with four Dask workers, which is what a run's pod has
	@$(BIN)/python benchmarks/bench_memory.py

clean:  ## remove the environment, the demo and the local instance
	@rm -rf .venv .jetstream
