# Needs only Python 3.11+ with pip, git and make; everything else is installed beside this file.

SEED ?= 1
SYSTEMS ?= few
SEEDS ?= 1-20
N ?= 100
PYTHON ?= python3
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
RUN := $(UV) run --no-sync

.DEFAULT_GOAL := help
.PHONY: help install demo ui test check bench faults mutants kills

help: ## Say what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: install ## Simulate a company and bring its systems into agreement (SEED=7 makes another company, SYSTEMS=all has every system)
	@$(RUN) sync-pipelines demo --seed $(SEED) --systems $(SYSTEMS)

ui: install ## Open the Dagster UI on the demo's state, on http://127.0.0.1:3000
	@$(RUN) sync-pipelines ui

test: install ## Run every test
	@$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder

check: install ## Lint, types, import contracts and every test
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports
	@$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: install ## Time the loop on a company 100 times as large, a deal's story and the audit trail at a million rows, and extraction
	@SYNC_STATE=.sync/bench $(RUN) sync-pipelines demo --fresh --scale 100
	@$(RUN) python bench/status.py
	@$(RUN) python bench/audit.py
	@$(RUN) python bench/extract

faults: install ## Live simulated companies under injected faults (SEEDS=100-2100 for a campaign, SEEDS=7 tells one story)
	@$(RUN) python -m sync_pipelines.testing.simulation $(SEEDS) $(if $(EVENTS),--events $(EVENTS)) $(if $(BESIDE),--beside $(BESIDE))

mutants: install ## Put deliberate bugs into a copy of the package, one at a time, and hunt each (NAMES="a b" for some)
	@$(RUN) python tests/mutants/hunt.py $(NAMES)

kills: install ## Kill real processes over a real ERP at random moments, and compare where they end (N=100)
	@SYNC_KILLS=$(N) $(RUN) pytest tests/integration/test_kill_anywhere.py

install: $(filter .tools/%,$(UV))
	@$(UV) sync --quiet --locked --all-extras --compile-bytecode

.tools/bin/uv:
	@$(PYTHON) -m pip install --quiet --root-user-action ignore --disable-pip-version-check --target .tools uv
