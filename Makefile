# Needs GNU Make 3.81 (as on macOS), a POSIX shell and Python 3.11 to 3.13; nothing else.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := storage workers dashboards orchestrator orch

# Tests start dozens of processes, each of which would read the source again; an empty value keeps what Python has compiled.
fast test test-all test-jax test-thorough: export PYTHONDONTWRITEBYTECODE =

# Two more than there are cores, as far as the memory lets them: tests of leases and of killed processes wait.
TEST_PROCESSES ?= $(shell scripts/count_test_processes)
TESTS ?= tests

# MkDocs' site of docs/ and of the docstrings.
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs

.PHONY: help setup demo fast test test-all test-jax test-thorough docs docs-serve lint format bench chaos mutants lock audit wheel clean

help:
	@echo "make setup   a virtual environment in $(VENV) with everything locked (once; other targets do it too)"
	@echo "make demo    synthetic radiographs, two studies, the best model: minutes, no data needed"
	@echo "make test    lint, then each behaviour once (one folder or file: make test TESTS=tests/unit)"
	@echo "make test-thorough  what make test leaves out: further kinds of data, models, backends and databases"
	@echo "make test-all       both: lint, then all tests"
	@echo "make test-jax       each behaviour once with JAX in the place of TensorFlow"
	@echo "make fast    the tests of milliseconds, without slow ones"
	@echo "make docs    the pages of docs/ as a site in build/site, with search; open build/site/index.html"
	@echo "make lint    ruff, mypy and the contracts on imports"
	@echo "make format  let ruff correct what it can"
	@echo "make bench   the benchmarks of bench/"
	@echo "make chaos   the long fault tests: killed workers, a crashing database (half an hour; CHAOS=keras: Keras too)"
	@echo "make mutants small faults in the code, and how many of them the tests find (minutes; MUTANTS='queue --each 40')"
	@echo "make audit   known vulnerabilities of the locked packages, and lists of them in dist/ (asks the network)"
	@echo "make wheel   build the wheel in dist/; built again, it is the same to the last bit"
	@echo "make lock    make the lock files in requirements/ again (needs uv)"
	@echo "make clean   remove $(VENV) and the caches of the tools"

setup: $(READY)

# The environment is rebuilt from its parts only when what it is made of changed.
$(READY): pyproject.toml requirements/dev.txt scripts/find_python
	@set -e; \
	if [ ! -x $(BIN)/python ] || ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
		python="$$(PYTHON='$(PYTHON)' scripts/find_python)"; \
		echo "Making $(VENV) with $$python"; \
		"$$python" -m venv --clear $(VENV); \
	fi
	@echo "Installing the locked dependencies (TensorFlow is large: a few minutes the first time)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: setup
	$(BIN)/orch demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

fast: setup
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) -m fast tests/unit

# A file's tests stay in one process: they share a trained model or a database more often than not. The files go out in
# their own order, the slow acceptance tests first: the last file alone in its process would keep the other one waiting.
PYTEST := $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test: lint
	$(PYTEST) -m "not thorough" $(TESTS)

# What `make test` leaves out, without lint; pytest's 5 says that the named folder or file has no such test.
test-thorough: setup
	$(PYTEST) -m thorough $(TESTS) || [ $$? -eq 5 ]

# The main tier with JAX in the place of TensorFlow; `KERAS_BACKEND=jax make test` runs it after lint.
test-jax: setup
	KERAS_BACKEND=jax $(PYTEST) -m "not thorough" $(TESTS)

test-all: lint
	$(PYTEST) $(TESTS)

docs: setup
	$(SITE) build --quiet
	@echo "Open build/site/index.html."

docs-serve: setup
	$(SITE) serve

# docs/speed.md, trust.md and scaling.md say what each measures. The peers need `pip install -e '.[bench]'`.
BENCHES ?= startup dashboard queue fleet leaks selection bit_for_bit replay foresight same_values fold_epoch image_epoch extraction scaling memory peers

bench: setup
	@set -e; for name in $(BENCHES); do echo "== bench.$$name"; $(BIN)/python -m bench.$$name; done

# What bench.chaos runs: weather trouble around sqlite create commands keras hosts.
CHAOS ?= weather trouble around sqlite create commands

chaos: setup
	$(BIN)/python -m bench.chaos $(CHAOS)

# Rooms of bench.mutants, and --each N: mutants of each file (0: all).
MUTANTS ?=

mutants: setup
	$(BIN)/python -m bench.mutants $(MUTANTS)

LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
EXTRAS := --extra cmaes --extra dicom --extra excel --extra parquet --extra publish
AS_TESTED := --constraint requirements/dev.txt

lock:
	$(LOCK) $(EXTRAS) --extra dev --extra docs --extra notebook --output-file requirements/dev.txt
	$(LOCK) $(EXTRAS) $(AS_TESTED) --output-file requirements/cpu.txt
	$(LOCK) $(EXTRAS) $(AS_TESTED) --extra gpu --output-file requirements/gpu.txt
	@mkdir -p build && sed -n '/^[a-z0-9]/{s/ \\$$//;p;}' requirements/dev.txt | grep -v '^h5py' > build/as-tested.txt
	$(LOCK) $(EXTRAS) --constraint build/as-tested.txt --extra jax --override requirements/without/tensorflow.txt \
		--output-file requirements/jax.txt
	$(LOCK) --constraint build/as-tested.txt --override requirements/without/training.txt --output-file requirements/look.txt

# Known vulnerabilities of what the containers install, and what that is (CycloneDX). Asks the public database of vulnerabilities.
audit:
	test -x .audit/bin/pip-audit || { python3 -m venv .audit && .audit/bin/python -m pip install --quiet pip-audit cyclonedx-bom; }
	@mkdir -p dist
	@set -e; for lock in cpu gpu jax look; do \
		.audit/bin/cyclonedx-py requirements requirements/$$lock.txt --output-file dist/sbom-$$lock.json; \
		echo "dist/sbom-$$lock.json"; \
		.audit/bin/pip-audit --disable-pip --require-hashes --strict -r requirements/$$lock.txt; \
	done

# The time of the last commit stands in the archive in place of the time of the build.
wheel: setup
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --wheel --no-isolation
	sha256sum dist/*.whl

clean:
	rm -rf $(VENV) .audit .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist
