# Everything that people and CI type. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The targets share one machine's two cores, one lab and one coverage file.
.NOTPARALLEL:

VENV := .venv
PYTHON := $(VENV)/bin/python
CLI := $(VENV)/bin/kubeadm-py
LAB := PYTHONPATH=vagrant $(PYTHON) -m lab
CLUSTER := vagrant/.lab/cluster.yaml
INSTALLED := $(VENV)/.installed

# The layers that do no I/O: their own unit tests and the golden ones alone must cover them.
PURE := config model render pki token preflight addons steps
COMMA := ,
EMPTY :=
PURE_SOURCES := $(subst $(EMPTY) $(EMPTY),$(COMMA),$(foreach layer,$(PURE),kubeadm_py/$(layer)) kubeadm_py.artifacts.plan)
PURE_TESTS := $(foreach layer,$(PURE) artifacts,tests/unit/$(layer))

PYTEST := $(PYTHON) -m pytest
COVERED := $(PYTHON) -m coverage run --parallel-mode --source=$(PURE_SOURCES) -m pytest

##@ A cluster
.PHONY: up down status
up: venv ## bring up cp1, w1 and w2, make a cluster of them, verify it
	@$(LAB) up
	$(CLI) init --config $(CLUSTER)
	$(CLI) join --config $(CLUSTER) --host w1 --host w2
	$(CLI) verify --config $(CLUSTER)
	@$(LAB) next

down: ## remove every lab: nodes, networks, volumes, keys, local state (caches stay)
	@if [ -x $(PYTHON) ]; then $(LAB) down --all; fi

status: venv ## say which nodes run
	@$(LAB) status

##@ Tests
.PHONY: test test-all test-crash lint types contracts unit golden coverage cli nodes nodes-all bench oracle differential
test: lint types contracts unit golden coverage cli nodes ## all of these; nodes: the core of the node tests

test-all: lint types contracts unit golden coverage cli nodes-all ## the same, with the long node tests

lint: venv ## ruff: rules and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: venv ## mypy, strict
	MYPYPATH=vagrant $(VENV)/bin/mypy -p kubeadm_py -p lab -p oracle

contracts: venv ## imports go down only
	$(VENV)/bin/lint-imports

# Tracing costs what it traces most of its speed: the tests that count for nothing there go without, at the same
# time, so that both cores have something to do.
unit: venv ## the parts, each by itself
	rm -f .coverage .coverage.*
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; code=0; \
	  $(PYTEST) tests/unit $(PURE_TESTS:%=--ignore=%) -p no:cacheprovider >"$$log" 2>&1 & rest=$$!; \
	  $(COVERED) $(PURE_TESTS) || code=$$?; \
	  wait $$rest || code=$$?; cat "$$log"; exit $$code

golden: venv ## what we render, beside what real kubeadm made of the same config
	$(COVERED) tests/golden

coverage: venv ## at least 90% of the pure layers' branches, from the two before
	$(PYTHON) -m coverage combine --quiet
	$(PYTHON) -m coverage report --fail-under=90

cli: venv ## the command, from outside
	$(PYTEST) tests/cli

nodes: venv ## the core of the tests on real nodes
	$(PYTEST) tests/nodes -m "not long"

nodes-all: venv
	$(PYTEST) tests/nodes

test-crash: venv ## crash apply at every boundary, hours of it; SHARD=2/4: a part; what held before is left out
	KPY_CRASH_ALL=1 KPY_CRASH_SHARD=$(or $(SHARD),1/1) $(PYTEST) tests/nodes/test_crash.py -k every_crash

bench: venv ## time render, init and join beside real kubeadm, and more; PART=offline|nodes|transfer|whole|scale
	PYTHONPATH=vagrant $(PYTHON) -m bench $(PART)

oracle: venv ## record anew what real kubeadm makes of the cases in tests/golden/kubeadm; CASES="A B": of these
	PYTHONPATH=vagrant $(PYTHON) -m oracle $(CASES)

differential: venv ## put generated configs to real kubeadm and to ours; COUNT=300 of them, SEED=N: the same again
	$(PYTEST) tests/differential

##@ Tools
.PHONY: help venv lock flags artifacts clean-cache
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(INSTALLED) ## the locked Python packages and this checkout, in .venv

artifacts: venv ## have binaries and images of the lab complete, and say where
	@$(LAB) artifacts

lock: ## write requirements.lock anew from pyproject.toml
	uv pip compile pyproject.toml --group dev --python-version 3.11 --universal --upgrade --generate-hashes \
	  --no-header --no-emit-index-url --output-file requirements.lock

flags: venv ## write the table of the components' flags anew from the lab's binaries; RELEASE=v1.35.4: built for this
	PYTHONPATH=vagrant $(PYTHON) -m flagtables $(if $(RELEASE),--release $(RELEASE))

clean-cache: down ## delete what the lab keeps between runs
	@if [ -x $(PYTHON) ]; then $(LAB) clean-cache; fi

# pip checks every hash, and the checkout's own build needs nothing beyond the lock.
$(INSTALLED): requirements.lock pyproject.toml
	@python3 -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory .install-venv
	[ -x $(PYTHON) ] || python3 -m venv $(VENV)
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m ensurepip >/dev/null
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: .install-venv
.install-venv:
	@[ "$$(id -u)" = 0 ] || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	apt-get -q -y -o DPkg::Lock::Timeout=300 update
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends python3-venv
