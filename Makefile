# Everything on a fresh machine with Python >= 3.11, git and make:
#   make demo    the main job, whole, on a small repository made for it
#   make test    all checks and tests, the quick ones
#   make bench   the figures in benchmarks/README.md, peers installed by it
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all test-tools check docs bench clean

demo: $(VENV)/.installed
	@$(BIN)/ci-agent demo

test: test-tools check
	$(BIN)/pytest -q -m "not slow"

test-all: test-tools check
	$(BIN)/pytest -q

check: $(VENV)/.test-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What the tests need beyond Python packages.
test-tools: $(VENV)/.test-installed
	$(BIN)/python -m tests.support.junit_schema

# The generated pages: configuration and command line.
docs: $(VENV)/.installed
	$(BIN)/python -m ci_agent.config > docs/configuration.md
	$(BIN)/python -m ci_agent.cli.document

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ci-agent needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test-installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[test]"
	@touch $@ $(VENV)/.installed
