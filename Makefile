# make demo   sets up .venv, renders data, trains, evaluates, reconstructs a photo, prints figures
# make test   sets up .venv with the development tools and runs every test
# make lint   ruff and pyright
# make docs   builds the documentation into site/; warnings are errors
.PHONY: setup setup-dev demo test test-fast lint docs clean

# The first supported interpreter that really runs (pyenv shims may exist without an interpreter behind them).
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.cache/jax
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0.5
export TF_CPP_MIN_LOG_LEVEL ?= 2

$(VENV)/created:
	@test -n "$(PYTHON)" || { echo "sirjax needs Python 3.11, 3.12 or 3.13 with venv: none found; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip "setuptools>=77" wheel
	@touch $@

$(VENV)/installed: $(VENV)/created setup.py pyproject.toml sirjax/render/native/rasterize_cpu.cc
	$(BIN)/python -m pip install --quiet --prefer-binary --editable ".[demo]"
	@sh scripts/headless_opencv.sh $(BIN)/python
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --prefer-binary --editable ".[demo,dev]"
	@sh scripts/headless_opencv.sh $(BIN)/python
	@touch $@

setup: $(VENV)/installed
setup-dev: $(VENV)/installed-dev

demo: setup
	$(BIN)/python -m experiments.demo --out runs/demo

# Two workers at most: compiling and training use several threads themselves.
PYTEST := $(BIN)/python -m pytest --numprocesses=2 --dist=worksteal

test: setup-dev
	$(PYTEST)

test-fast: setup-dev
	$(PYTEST) -m "not slow"

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: setup-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) .cache build site *.egg-info sirjax/render/native/*.so
