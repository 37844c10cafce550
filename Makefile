# Set-up and everyday jobs. `make demo` and `make test` set up all they need; see README.md.

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
DEMO ?= demo
BIN := $(VENV)/bin

.PHONY: demo test test-all setup lint types unit every-unit wheel docs man clean

# The main job: plan, simulate and reconstruct a crystal into the folder demo/.
demo: $(VENV)/.installed
	$(BIN)/stemscan demo $(DEMO) --overwrite

# Lint, types, tests, and the built wheel in an environment of its own.
test: lint types unit wheel

# The same with the tests that take long, how much of the code they cover, and the site with its gallery and notebooks.
test-all: lint types every-unit wheel docs

# The site in docs/_build/html, from nothing but what is here; warnings are errors.
docs: $(VENV)/.installed-docs
	rm -rf docs/api docs/gallery docs/project
	$(BIN)/python -m sphinx -b html -n -W --keep-going docs docs/_build/html

setup: $(VENV)/.installed-dev

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy -p stemscan
	$(BIN)/mypy tests benchmarks

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not long"

every-unit: $(VENV)/.installed-dev
	STEMSCAN_BROWSER=needed $(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term:skip-covered

wheel: $(VENV)/.installed-dev
	$(BIN)/python tests/check_wheel.py

# The manual page of all commands, for packages: build/man/stemscan.1.
man: $(VENV)/.installed
	mkdir -p build/man
	$(BIN)/stemscan --man > build/man/stemscan.1

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e ".[files]"
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e ".[docs]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf docs/_build docs/api docs/gallery docs/project
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
