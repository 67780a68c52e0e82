# Everything a developer or CI calls. `make demo` and `make test` set up what they need; `make help`
# lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/pytest -q
WORKERS ?= 2
TIER ?= test
SETUP_SH = SETUP="$(SETUP)" PYTHON="$(PYTHON)" sh e2e/machine/setup.sh
# A root shell by `su` has no sbin on its PATH, where iproute2 and iptables live.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.DEFAULT_GOAL := install
.PHONY: help install format lint typecheck test unit generate verify check demo breaker oracle e2e test-upgrade \
	bench-autoscale bench-control bench-demand bench-before bench-before-5000 bench-layout bench-plan bench-pull bench-speed \
	bench-live test-scaling image clean lock binaries moved try-bare

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  %-17s %s\n' "$$name" "$$text"; done

install: $(STAMP) ## make .venv from the locked requirements

$(STAMP): requirements/dev.txt requirements/build.txt pyproject.toml
	@$(SETUP_SH) python
	@PYTHON="$(PYTHON)" sh e2e/machine/venv.sh $(VENV)
	@pwd -P >$@
	@echo "ready: make demo, make test, make help"

# The programs of an environment name the place it was made at. One that says no place is let be.
ifneq ($(shell cat $(STAMP) 2>/dev/null || pwd -P),$(shell pwd -P))
ifneq ($(shell cat $(STAMP)),)
$(STAMP): moved
endif
endif

moved:
	@echo "this checkout was moved or copied: making $(VENV) anew"
	@rm -rf $(VENV)

# What a tier needs: of the machine (as root on Debian or Ubuntu it is installed), in .venv, and of
# programs; the last two side by side, since pip waits for the network while Go compiles.
MACHINE_test := git=git
MACHINE_bench := git=git
ready-%:
	@$(SETUP_SH) python cluster $(MACHINE_$*)
	@$(MAKE) --no-print-directory -j2 $(STAMP) binaries TIER=$*

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

lint: $(STAMP) ## ruff, the layers, no reason written as text, the limits of make shape
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m tests.shape.reasons
	@mkdir -p build
	@$(BIN)/python -m tests.shape > build/shape.txt || { cat build/shape.txt; exit 1; }

shape: $(STAMP) ## the package in numbers: sizes, parameters, complexity, circles, beside their limits
	$(BIN)/python -m tests.shape

typecheck: $(STAMP) ## mypy --strict
	$(BIN)/mypy

unit: $(STAMP) ## unit tests: seconds, no cluster
	$(PYTEST) -m "not cluster and not slow" tests e2e

binaries: ## find or build the programs of the test cluster (once, minutes): TIER=demo, test, bench or mirrors
	@$(SETUP_SH) python build
	@$(PYTHON) -m e2e.cluster.binaries $(TIER)

test: ready-test ## what CI runs: lint, types, all tests, also those on the real Kubernetes
	@$(MAKE) --no-print-directory lint typecheck verify
	$(PYTEST) -n $(WORKERS) -m "not slow" tests e2e

e2e: ready-test ## only the tests on the real Kubernetes, one after the other
	$(PYTEST) -m "cluster and not slow" tests e2e

test-upgrade: ready-test ## slow: 0.1.0, made from its commit, serves and this build takes over
	$(PYTEST) -m slow e2e/upgrade

test-scaling: ready-test ## slow: scaling while something breaks, with a real vLLM and with vLLM's own load client
	$(PYTEST) -m slow e2e/scaling

generate: $(STAMP) ## CRDs, JSON schemas, API reference, reasons, chart copies
	$(BIN)/python -m escadre.generate

verify: $(STAMP) ## fail if a generated file differs from its source
	$(BIN)/python -m escadre.generate --check

check: lint typecheck verify unit ## all that needs neither root nor a cluster

demo: ready-demo ## the whole path on a real Kubernetes: make demo [KEEP=1] [ENGINE=vllm]
	@KEEP=$(KEEP) ENGINE=$(ENGINE) $(BIN)/python -m e2e.demo

breaker: ready-demo ## break a running installation case by case: make breaker [CASES=name,name] [KEEP=1]
	@KEEP=$(KEEP) CASES="$(CASES)" $(BIN)/python -m e2e.breaker

bench-control: ready-bench ## 1,000 deployments: cold, restart, edit, heal, memory
	$(BIN)/python -m e2e.bench.control

bench-before: ready-bench ## this build beside 0.1.0: rest, edit, cold, memory, delete, as ratios
	$(BIN)/python -m e2e.bench.before $(ARGS)

bench-before-5000: ready-bench ## the cold start of 5,000, beside 0.1.0's
	$(BIN)/python -m e2e.bench.before --rows cold --cold-deployments 5000 $(ARGS)

bench-plan: $(STAMP) ## planning alone, no cluster: 2,000 deployments on 5,000 nodes, as seconds of CPU
	$(BIN)/python -m e2e.bench.plan $(ARGS)

bench-autoscale: $(STAMP) ## GPU-seconds of this build's scaling beside HPA, KEDA, KPA, WVA and an oracle, in virtual time
	@$(BIN)/python -m e2e.bench.autoscale $(ARGS)

bench-demand: ready-bench ## reading 500 engines every 5 s: share of a core, decisions, edits with and without on a real API server
	$(BIN)/python -m e2e.bench.demand $(ARGS)

bench-layout: $(STAMP) ## the estimate of the cache beside published start-ups and peers (1.2 GB, once)
	@$(BIN)/python -m e2e.bench.layout $(ARGS)

bench-speed: $(STAMP) ## the estimate of speed beside measured runs of vLLM (82 MB, once)
	@$(BIN)/python -m e2e.bench.speed $(ARGS)

bench-pull: $(STAMP) ## one model by this build, 0.1.0, an ideal loop and other tools: ratios (8 GB of memory, nginx)
	@$(BIN)/python -m e2e.bench.pull $(ARGS)

bench-live: ready-bench ## the simulator beside the cluster on the same ten minutes of a published log, three runs
	@$(BIN)/python -m e2e.bench.live $(ARGS)

oracle: $(STAMP) ## developers: have vLLM judge generated models anew, without a GPU (6 GB, once)
	$(BIN)/python -m e2e.engine.oracle

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

try-bare: ## prove it on a bare Debian in a chroot: make try-bare [COMMANDS="demo test"] [CACHE=FOLDER]
	@$(SETUP_SH) python debootstrap=debootstrap git=git
	@$(PYTHON) -m e2e.machine.bare $(if $(CACHE),--cache "$(CACHE)") $(COMMANDS)

clean: ## remove what was built here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
