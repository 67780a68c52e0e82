# Everything a developer or CI calls. `make` alone bootstraps .venv; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/pytest -q
WORKERS ?= 2

.DEFAULT_GOAL := install
.PHONY: help install format lint typecheck test unit generate verify check demo e2e \
	bench-control image clean lock binaries

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  %-15s %s\n' "$$name" "$$text"; done

install: $(STAMP) ## make .venv from the locked requirements

$(STAMP): requirements/dev.txt requirements/build.txt pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer with venv is missing: apt-get install -y python3 python3-venv"; exit 1; }
	@echo "installing the locked requirements into $(VENV), about a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "ready: make demo, make test, make help"

lock: ## renew the locked requirements (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --group build -o requirements/build.txt

format: $(STAMP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(STAMP) ## ruff and the layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

shape: $(STAMP) ## the package in numbers: sizes, parameters, complexity, circles, beside their limits
	$(BIN)/python -m tests.shape

typecheck: $(STAMP) ## mypy --strict
	$(BIN)/mypy

unit: $(STAMP) ## unit tests: seconds, no cluster
	$(PYTEST) -m "not cluster and not slow" tests e2e

binaries: $(STAMP) ## find or build the programs of the test cluster (once, about 10 minutes)
	$(BIN)/python -m e2e.cluster binaries

test: $(STAMP) binaries ## all tests, also those on the real Kubernetes: faults, failover, rest, upgrade
	$(PYTEST) -n $(WORKERS) -m "not slow" tests e2e

e2e: $(STAMP) binaries ## only those on the real Kubernetes, one after the other
	$(PYTEST) -m "cluster and not slow" tests e2e

generate: $(STAMP) ## CRDs, API reference, reasons, chart copies
	$(BIN)/python -m escadre.generate

verify: $(STAMP) ## fail if a generated file differs from its source
	$(BIN)/python -m escadre.generate --check

check: lint typecheck verify test ## everything CI asks for

demo: $(STAMP) ## the whole path on a real Kubernetes: make demo [KEEP=1] [ENGINE=vllm]
	@KEEP=$(KEEP) ENGINE=$(ENGINE) $(BIN)/python -m e2e.demo

bench-control: $(STAMP) ## 1,000 deployments: cold, restart, edit, heal, memory
	$(BIN)/python -m e2e.bench.control

image: ## container image: make image BASE=REGISTRY/python@sha256:… (podman, docker or buildah)
	@case "$(BASE)" in *@sha256:*) ;; *) \
		echo "BASE is missing: make image BASE=REGISTRY/python@sha256:DIGEST, the digest of python:3.11-slim" \
			"in your registry (docs/develop/setup.md)"; exit 1 ;; \
	esac
	@for tool in podman docker buildah; do \
		if command -v $$tool >/dev/null && $$tool info >/dev/null 2>&1; then \
			exec $$tool build -f Containerfile --build-arg BASE="$(BASE)" $(IMAGE_ARGS) \
				-t escadre:$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/escadre/__init__.py) .; \
		fi; \
	done; echo "no working image builder found: apt-get install -y podman"; exit 1

clean: ## remove what was built here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
