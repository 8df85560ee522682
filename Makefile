# Everything here sets itself up: only Python 3.11+ and make are needed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test bench faults lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/base.stamp ## Start everything, serve 36 made-up customers, and stay for you to look around
	$(BIN)/deskbridge demo $(DEMO)

test: $(VENV)/dev.stamp ## Run everything that CI checks: lint, types, dependency rules, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not faults and not bench and not alone" $(TEST)
	$(BIN)/python -m pytest -m "alone and not faults" $(TEST) || [ $$? = 5 ] # 5: TEST chose none of them

bench: $(VENV)/dev.stamp ## Measure, print, and write .bench/results.json
	$(BIN)/python -m tests.benchmarks.run

faults: $(VENV)/dev.stamp ## Break everything for 20 minutes while customers talk (FAULTS="--seed 7 --minutes 60")
	$(BIN)/python -m pytest -m faults $(TEST)
	$(BIN)/python -m tests.faults.run $(FAULTS)

lock: ## Resolve pyproject.toml's dependencies anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/"; exit 1; }
	uv pip compile --universal --python-version 3.11 pyproject.toml --group build --generate-hashes \
		--no-emit-index-url --no-header -o requirements/base.txt
	uv pip compile --universal --python-version 3.11 pyproject.toml --group dev --generate-hashes \
		--no-emit-index-url --no-header -o requirements/dev.txt

clean: ## Remove the virtual environment, caches and the demo's data
	rm -rf $(VENV) .deskbridge .bench .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# A stamp is newer than what it was made from, so a second run goes straight to work.

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Deskbridge needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/base.stamp: requirements/base.txt pyproject.toml $(VENV)/made.stamp
	@echo "installing requirements/base.txt"
	@$(PIP) install --require-hashes -r requirements/base.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/base.stamp
	@echo "installing requirements/dev.txt"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
