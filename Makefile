# Everything on a fresh machine with Python >= 3.11, git and make:
#   make demo    the main job, whole, on a small repository made for it
#   make test    all checks and the quick tests; make test-slow: the others
#   make bench   the figures in benchmarks/README.md, peers installed by it
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Most tests wait for processes and servers of their own, so that more workers than processors are quicker.
PYTEST := $(BIN)/pytest -q -n 3 --dist worksteal

.PHONY: demo test test-slow test-tools check docs bench clean

demo: $(VENV)/.installed
	@$(BIN)/ci-agent demo

test: check test-tools
	$(PYTEST) -m "not slow"

test-slow: test-tools
	$(PYTEST) -m slow

check: $(VENV)/.test-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What the tests need beyond Python packages.
test-tools: $(VENV)/.test-installed
	$(BIN)/python -m tests.support.tools

# The generated pages: configuration, command line, and the tables of the architecture.
docs: $(VENV)/.installed
	$(BIN)/python -m ci_agent.config > docs/configuration.md
	$(BIN)/python -m ci_agent.cli.document
	$(BIN)/python -m ci_agent.session.document

bench: test-tools
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
