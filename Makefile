# make serve   install, export the shipped presets, serve them on 127.0.0.1, ask three questions
#              (make serve VERBOSE=1 shows the server's log)
# make test    install, then the whole test suite
# make test-spark   the tests of the Spark job (needs Java 17)
# make docs    the documentation as a web site in build/site
# make wheels  the full wheel, and a small one without weights, in dist
# make lint    ruff (format and rules) and mypy
# make bench   every benchmark, short form
# make lock    write the lock files anew from setup.cfg's ranges (needs uv)
# Paths are relative and quoted nowhere, so a checkout below a path with spaces works.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export TF_CPP_MIN_LOG_LEVEL ?= 3
export TF_ENABLE_ONEDNN_OPTS ?= 1

.PHONY: serve test test-spark lint bench docs wheels lock clean

serve: $(VENV)/.serve-installed
	$(BIN)/python -m serving.quickstart $(if $(VERBOSE),--verbose)

test: $(VENV)/.test-installed
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/spark

test-spark: $(VENV)/.spark-installed
	$(BIN)/python -m pytest -q tests/spark

lint: $(VENV)/.test-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.test-installed
	$(BIN)/python -m benchmarks

docs: $(VENV)/.test-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

wheels: $(VENV)/.test-installed
	rm -rf build
	$(PIP) wheel -q --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build
	ZOO_WHEEL=small $(PIP) wheel -q --no-deps --no-build-isolation --wheel-dir dist .

lock:
	uv pip compile setup.cfg --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -c lock-constraints.txt -o requirements.lock
	uv pip compile setup.cfg --extra dev --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -c requirements.lock -c lock-constraints.txt -o requirements-dev.lock
	uv pip compile setup.cfg --extra spark --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -c requirements-dev.lock -c lock-constraints.txt -o requirements-spark.lock

clean:
	rm -rf $(VENV) build dist exported *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve-installed: requirements.lock setup.cfg pyproject.toml | $(VENV)/bin/python
	$(PIP) install -q --require-hashes -r requirements.lock
	$(PIP) install -q --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.test-installed: requirements-dev.lock setup.cfg pyproject.toml | $(VENV)/bin/python
	$(PIP) install -q --require-hashes -r requirements-dev.lock
	$(PIP) install -q --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.serve-installed

$(VENV)/.spark-installed: requirements-spark.lock $(VENV)/.test-installed
	$(PIP) install -q --require-hashes --no-build-isolation -r requirements-spark.lock
	touch $@
