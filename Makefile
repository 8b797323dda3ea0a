PYTHON  ?= python3
POLICY  ?= fixtures/policies/baseline.yaml
BASE    ?=
REPORT  ?= reports
CLUSTER ?= embedded
KUBERNETES ?=
IMAGE   ?=
ARGS    ?=
WORKERS ?= 2
RUNS    ?= 2000
SECONDS ?= 600
SEED    ?= 1

# Tests and runs start hundreds of Python processes: none of them compiles what another one has, whatever the caller set.
export PYTHONDONTWRITEBYTECODE =

BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup check check-style check-types check-imports test fuzz conformance backends bench gauntlet served schema catalogue facts options cases codes docs lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo
	@echo "  make conformance POLICY=any.yaml [BASE=old.yaml] [REPORT=folder] [CLUSTER=profile] [KUBERNETES=1.37] [IMAGE=node-image] [ARGS='-k secrets']"

setup: $(READY) ## make .venv with the command auditproof in it

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "auditproof needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

check: $(READY) ## format, lint, types, import layers, beside each other
	@$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target check-types check-imports check-style

check-style: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

check-types: $(READY)
	$(BIN)/mypy

check-imports: $(READY)
	$(BIN)/lint-imports

test: $(READY) ## what every change has to pass, on real servers; ARGS='-m ""': all tests; ARGS=tests/audit: one room; WORKERS=0: in one process
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(if $(ARGS),$(ARGS),-m "not thorough")

fuzz: $(READY) ## feed every parser with random inputs for SECONDS (600); SEED=n repeats a run
	$(BIN)/python -m tests.fuzz $(SECONDS) $(if $(filter command,$(firstword $(origin SEED))),$(SEED))

conformance: $(READY) ## prove POLICY (default: the baseline policy), compared with BASE if given; write the report to REPORT
	$(BIN)/auditproof run $(POLICY) --report $(REPORT) --cluster $(CLUSTER) --reference always $(if $(BASE),--base $(BASE)) $(if $(KUBERNETES),--kubernetes $(KUBERNETES)) $(if $(IMAGE),--image $(IMAGE)) $(ARGS)

backends: $(READY) ## test the audit backends, log and webhook, by mode and fault; write the report to REPORT
	$(BIN)/auditproof run $(POLICY) --backends --coverage none --report $(REPORT) $(if $(KUBERNETES),--kubernetes $(KUBERNETES)) $(ARGS)

bench: $(READY) ## measure what it costs and write docs/performance.md; ARGS=--check: compare with what is recorded; ARGS=startup: one part
	$(BIN)/python -m tools.bench $(ARGS)

gauntlet: $(READY) ## let log reader, proxy, kubelet, etcd and pytest misbehave in RUNS runs: no verdict may be wrong
	$(BIN)/python -m tests.gauntlet --runs $(RUNS) --seed $(SEED) $(ARGS)

served: $(READY) ## record the discovery data of the API servers again (src/auditproof/kube/discovery.json)
	$(BIN)/python -m tools.record_discovery $(ARGS)

schema: $(READY) ## generate results.schema.json from the models of results.json, and docs/schemas
	$(BIN)/python -m tools.results_schema

catalogue: $(READY) ## generate suites/resources from the discovery data
	$(BIN)/python -m tools.catalogue

facts: $(READY) ## generate docs/coverage.md: which case demonstrates which fact of suites/facts.yaml
	$(BIN)/python -m tools.facts

cases: $(READY) ## write docs/cases.md from the models of case files and docs/examples
	$(BIN)/python -m tools.cases

options: $(READY) ## write docs/options.md from the table of options
	$(BIN)/python -m tools.options

codes: $(READY) ## write docs/exit-codes.md from the table of exit codes
	$(BIN)/python -m tools.exit_codes

docs: $(READY) ## build the documentation site into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lock: ## renew requirements.lock and the locks in .ci (needs uv and npm)
	uv pip compile --generate-hashes --universal --no-annotate --no-header --python-version 3.11 pyproject.toml --group dev -o requirements.lock
	echo "pyspark>=4.0" | uv pip compile --generate-hashes --universal --no-annotate --no-header --python-version 3.11 - -o .ci/spark.lock
	echo "chdb-core" | uv pip compile --generate-hashes --universal --no-deps --no-annotate --no-header --python-version 3.11 - -o .ci/clickhouse.lock
	printf 's3fs\ngcsfs\nadlfs\n' | uv pip compile --generate-hashes --universal --no-annotate --no-header --python-version 3.11 - -o .ci/stores.lock
	rm -rf build/azurite && mkdir -p build/azurite && cp .ci/azurite.json build/azurite/package.json
	npm install --prefix build/azurite --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund --silent
	node -p 'const lock = require("./build/azurite/package-lock.json"); for (const one of Object.values(lock.packages)) { delete one.funding; delete one.license } JSON.stringify(lock, null, 1)' > .ci/azurite.lock

clean: ## remove generated files; the cache of binaries stays
	rm -rf .venv build dist reports .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
