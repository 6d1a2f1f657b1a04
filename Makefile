# `make demo` runs the integration tier on this machine; `make test` runs all tests that it can run.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
# Of `make ui`.
PORT ?= 3000
# Tests take from milliseconds to seconds: who has nothing left to do takes over from the others.
XDIST := -n auto --dist worksteal
# Tests on clusters wait more than they work. A group of them keeps to one worker, the longest first.
CLUSTERS := -n 3 --dist loadscope --no-loadscope-reorder
# A few of each kind, in minutes: what the gate asks of a pull request beside the tiers.
QUICK := $(addprefix tests/system/,test_verdicts_on_kind.py test_run_namespace.py test_dagster_job.py test_cancelled_runs.py \
  test_hostile_results.py test_shards.py faults/test_faults_of_suites.py)
export DAGSTER_HOME := $(CURDIR)/dagster_home
export PATH := $(CURDIR)/$(BIN):$(PATH)
SHELL_SCRIPTS := $(addprefix airgap/,run image programs daemon registry bases/*/docker-entrypoint.sh bases/kafka/kafka-program \
  bases/kafka/run) charts/*/files/*/*.sh images/build images/push \
  images/statefun-functions/assemble docs/pictures/take examples/tools examples/bats/suite/live $(filter-out %.py %.json,$(wildcard .ci/*))

# Its path has the version: another one is installed beside it.
ACTIONLINT_VERSION := v1.7.12
ACTIONLINT := $(HOME)/.cache/floe-tests/actionlint-$(ACTIONLINT_VERSION)/actionlint

.PHONY: help setup demo test test-all thorough unit functional coverage test-kind test-kind-quick faults staging staging-down staging-tests check lint types charts docs site fix ui images lock clean actionlint

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(VENV)/.installed ## The environment in .venv, from the lock

$(VENV)/.installed: requirements.lock pyproject.toml packages/floe-tests-pytest/pyproject.toml
	@echo "setting up $(VENV) (about half a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --editable . --editable packages/floe-tests-pytest
	@touch $@

demo: setup ## The integration tier on this machine: no Docker, no Kubernetes
	@$(BIN)/floe-tests run integration --environment local

test: setup ## Every test this machine can run in minutes; what is skipped says why
	@status=0; $(BIN)/pytest tests/unit tests/functional -m "not thorough" $(XDIST) -ra || status=$$?; \
	$(BIN)/pytest tests/system $(CLUSTERS) -ra --durations=15 && exit $$status

test-all: setup ## Also what takes minutes: every fault on a cluster, 250 shards, 50,000 tests of a suite
	@status=0; $(BIN)/pytest tests/unit tests/functional $(XDIST) -ra || status=$$?; \
	FLOE_THOROUGH=1 $(BIN)/pytest tests/system $(CLUSTERS) -ra --durations=15 && exit $$status

thorough: setup ## Of the tests without a cluster, those alone that take minutes
	@$(BIN)/pytest tests/unit tests/functional -m thorough $(XDIST) -ra

unit: setup ## The fast tests alone, on all cores: no process, no cluster
	@$(BIN)/pytest tests/unit -m "not functional" $(XDIST) -q

functional: setup ## The tests that start processes on this machine: no cluster
	@$(BIN)/pytest tests/unit tests/functional -m "functional and not thorough" $(XDIST) -q

# Two points below what was measured: 84 %, 93 % of execution/ and of results/. What runs as a process
# of its own is not seen: the launcher, the exporter, most of the command line.
coverage: setup ## What of floe_tests the tests run, branches too; fails below CI's gate
	@mkdir -p output/coverage
	@$(BIN)/pytest tests/unit tests/functional/execution tests/functional/pipeline/test_ends.py -m "not thorough" \
		$(XDIST) -q --cov --cov-report=
	@$(BIN)/coverage report --fail-under=82
	@$(BIN)/coverage report --include='floe_tests/execution/*' --fail-under=90
	@$(BIN)/coverage report --include='floe_tests/results/*' --fail-under=91

test-kind: setup ## The tests on real kind clusters alone
	@$(BIN)/pytest tests/system $(CLUSTERS) -ra --durations=15

test-kind-quick: setup ## A few of them of each kind
	@$(BIN)/pytest $(QUICK) $(CLUSTERS) -ra --durations=15

# One after the other: the page has their order.
faults: setup ## Every fault to a running suite on real clusters; writes docs/faults.md (about 30 minutes)
	@FLOE_THOROUGH=1 FLOE_FAULTS_PAGE=$(CURDIR)/docs/faults.md $(BIN)/pytest tests/system/faults tests/system/test_reap.py -q

staging: setup ## Platform and orchestrator on a kind cluster that stays (STAGING_CLUSTER names it)
	@$(BIN)/python staging/staging.py up

staging-down: setup ## Delete the cluster of `make staging`
	@$(BIN)/python staging/staging.py down

staging-tests: setup ## The tests of staging that take long, on kind clusters of their own
	@FLOE_THOROUGH=1 $(BIN)/pytest tests/system -m thorough $(CLUSTERS) --ignore tests/system/faults --ignore tests/system/test_reap.py -ra

check: lint types charts test docs-current site ## What CI runs

lint: setup ## ruff, shellcheck, imports, dependencies, and actionlint where `make actionlint` has put it
	@if test -x $(ACTIONLINT); then $(ACTIONLINT); else echo "not checked: .github/workflows (make actionlint)" >&2; fi
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@.ci/dependencies
	@$(BIN)/python .ci/version.py check
	@$(BIN)/shellcheck --external-sources --severity=warning $(SHELL_SCRIPTS)

actionlint: $(ACTIONLINT) ## The linter of .github/workflows, outside the checkout; needs Go

$(ACTIONLINT):
	@GOBIN=$(@D) go install -ldflags '-s -w' github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)

types: setup ## pyright, strict where the dependencies have types
	@$(BIN)/pyright --project pyproject.toml
	@$(BIN)/pyright --project .ci

charts: setup ## helm lint and the chart's own tests
	@helm lint --quiet charts/floe-common
	@helm lint --quiet charts/floe-platform --set minimal=true
	@helm lint --quiet charts/floe-platform
	@helm lint --quiet charts/floe-platform --values charts/floe-platform/values-production.yaml
	@helm lint --quiet charts/floe-platform --values charts/floe-platform/values-production.yaml --values charts/floe-platform/values-staging.yaml
	@helm lint --quiet charts/floe-tests
	@helm lint --quiet charts/floe-tests --values charts/floe-tests/values-staging.yaml --set namespacePerRun.enabled=true
	@helm lint --quiet charts/flink-operator
	@helm lint --quiet charts/statefun
	@$(BIN)/pytest tests/functional/charts -q

.PHONY: charts-common
charts-common: ## Copy charts/floe-common into the charts that depend on it
	@for chart in $(patsubst %/Chart.yaml,%,$(shell grep -l 'repository: file://../floe-common' charts/*/Chart.yaml)); do \
	  rm -rf $$chart/charts && mkdir $$chart/charts && cp -R charts/floe-common $$chart/charts/; \
	done

docs: setup ## Regenerate the pages that are made from code
	@$(BIN)/python -m floe_tests.report
	@$(BIN)/python -m floe_tests.cli.reference
	@$(BIN)/python docs/site/index.py

.PHONY: docs-current
docs-current: docs
	@git diff --exit-code -- docs || { echo "docs/ is not what the code says: run make docs and commit" >&2; exit 1; }

# Its program for diagrams comes with the site: a page asks nobody else for anything.
MERMAID_VERSION := 11.17.2
MERMAID_SHA256 := 581ed7d74bd9048d0e3a91363927d72ef22942d7722546b27f7cc29e35390eb8
MERMAID := docs/site/mermaid-$(MERMAID_VERSION).min.js
SITE := $(VENV)/site

site: $(SITE)/.installed $(MERMAID) ## The documentation as a site, in build/site; fails on a warning or a broken link; needs npm once
	@$(BIN)/pytest tests/unit/docs/test_links.py -q
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict --quiet

$(SITE)/.installed: docs/site/requirements.lock $(VENV)/.installed
	@test -x $(SITE)/bin/python || $(PYTHON) -m venv --without-pip $(SITE)
	@VIRTUAL_ENV=$(SITE) $(BIN)/uv pip install --quiet --require-hashes -r $<
	@touch $@

$(MERMAID):
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	  npm pack --silent --pack-destination "$$folder" mermaid@$(MERMAID_VERSION) >/dev/null; \
	  tar -xzf "$$folder"/*.tgz -C "$$folder" package/dist/mermaid.min.js; \
	  echo "$(MERMAID_SHA256)  $$folder/package/dist/mermaid.min.js" | sha256sum --check --quiet; \
	  rm -f docs/site/mermaid-*.min.js; mv "$$folder/package/dist/mermaid.min.js" $@

fix: setup ## What ruff can mend by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

ui: setup ## Dagster's UI with the history, on http://127.0.0.1:3000 (PORT names another), results at the next port
	@$(BIN)/floe-tests ui --port $(PORT)

images: ## The project's images, into the local Docker (IMAGE_REGISTRY_PREFIX is honoured)
	@images/build

.PHONY: release
release: ## The project's version in every file that names it: make release VERSION=1.2.3 (DRY_RUN=1 prints the diff)
	@$(PYTHON) .ci/version.py set $(or $(VERSION),$(error make release VERSION=1.2.3)) $(if $(DRY_RUN),--dry-run)

# Everything to its newest; `make lock UPGRADE=` changes only what pyproject.toml and the .in files ask for,
# `make lock UPGRADE='-P dagster'` a package.
UPGRADE ?= --upgrade
COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

lock: setup ## Renew requirements.lock and the images' locks (host-free)
	@$(COMPILE) $(UPGRADE) --universal --extra dev pyproject.toml -o requirements.lock
	@$(COMPILE) $(UPGRADE) --universal --group pyproject.toml:docs -o docs/site/requirements.lock
	@$(COMPILE) $(UPGRADE) tests/requirements.in -o tests/requirements.lock
	@$(COMPILE) $(UPGRADE) images/platform/requirements.in -o images/platform/requirements.lock
	@$(COMPILE) $(UPGRADE) images/statefun-functions/requirements.in -o images/statefun-functions/requirements.lock
	@$(COMPILE) $(UPGRADE) --extra cluster --extra measure --extra postgres --extra ui --constraint requirements.lock pyproject.toml images/floe-tests/requirements.in -o images/floe-tests/requirements.lock

clean: ## Everything that can be made again; the history in dagster_home stays
	@rm -rf $(VENV) output build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
