# The two commands: `make demo` and `make test`. Everything they need is installed in this folder.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

PROBLEM ?= problems/heart
EMULATOR ?=
PURGE ?=
CASES ?= 1000
PYTHON := .venv/bin/python
MKDOCS := NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

# uv where `make` has installed it, for what wants it later (the bundles, the emulator's environment).
export PATH := $(PATH):$(CURDIR)/.andamio/uv/bin
# Variables of the caller's shell that would lead Python astray.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

.PHONY: help install demo down unit test e2e conformance fuzz check docs bench

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

install:  ## install everything, pinned, into this folder (the other targets do it too)
	@sh scripts/bootstrap.sh

demo: install  ## from nothing to a served prediction, and on; PROBLEM=path/to/folder, EMULATOR=localstack, SHORT=1
	@.venv/bin/andamio demo --problem "$(PROBLEM)" $(if $(EMULATOR),--emulator "$(EMULATOR)") $(if $(SHORT),--short)

down:  ## stop what demo started; PURGE=1 forgets its state too
	@if [ -x $(PYTHON) ]; then .venv/bin/andamio down $(if $(PURGE),--purge); \
	else echo "Nothing is installed here, so nothing runs."; fi

unit: install  ## the unit tests that need no cloud, in parallel: about a minute
	@HYPOTHESIS_PROFILE="$${HYPOTHESIS_PROFILE:-quick}" \
	$(PYTHON) -m pytest tests/unit -n auto --dist loadfile -m "not cloud and not slow"

# The parts of a run share one report of coverage, which the last one prints and holds to its floor. Files are dealt out in
# the order of their folders, so that none that takes minutes begins last: of the long ones the end-to-end tests, which
# share a cloud and so one process, take as long as all others do beside them.
LONG := e2e or flows or cloud or slow
PART := --cov --cov-report= --cov-fail-under=0
DEALT := -n auto --dist loadfile --no-loadscope-reorder
test: install  ## the whole test suite, with a local cloud of its own, and its coverage
	@$(PYTHON) -m pytest tests/infra tests/unit $(DEALT) -m "not cloud and not slow" $(PART)
	@$(PYTHON) -m pytest tests/e2e tests/flows tests/infra tests/unit $(DEALT) -m "$(LONG)" --cov-append --cov
	@$(PYTHON) -m pytest tests/conformance --target moto -q

# The demo's path, ETL, training, prediction, batch, the watch and what follows it; the other tests are about permissions
# and kept state.
ON_LOCALSTACK := $(addprefix tests/e2e/,test_demo.py test_data.py test_batch_files.py test_watch.py test_verify.py \
	test_trial.py test_story.py test_swap.py test_recent.py)
e2e: install  ## the end-to-end tests; EMULATOR=localstack for the demo's path there
	@ANDAMIO_EMULATOR="$(EMULATOR)" $(PYTHON) -m pytest $(if $(filter localstack,$(EMULATOR)),$(ON_LOCALSTACK),tests/e2e)

conformance: install  ## what ministack, LocalStack and moto do of AWS, as a table; EMULATOR=moto for one of them
	@$(PYTHON) -m tests.conformance $(EMULATOR)

fuzz: install  ## generated requests to the API, others each time; CASES=10000 for more
	@ANDAMIO_FUZZ="$(CASES)" $(PYTHON) -m pytest tests/unit/api/test_schemathesis.py tests/unit/api/test_fuzz.py

check: install  ## style, types, dependency rules, state machines, templates, permissions
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/deptry .
	$(PYTHON) -m infra.asl
	$(PYTHON) -m infra.check
	$(PYTHON) -m infra.proof
	$(MKDOCS)

docs: install  ## the documentation as a site, in site/
	$(MKDOCS)
	@echo "Open site/index.html, or run: .venv/bin/mkdocs serve"

bench: install  ## the benchmarks
	@if [ -d benchmarks ]; then $(PYTHON) -m benchmarks; \
	else echo "There are no benchmarks in this version."; exit 1; fi
