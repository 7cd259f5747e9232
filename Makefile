# Two commands do everything: `make run` (the whole platform, no Docker) and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
MEMBERS := libs/contracts libs/chassis libs/client services/api-gateway services/meeting-core services/invitations \
           services/calendar-sync services/webhook-ingest simulators tools/localrun tools/meetings-cli tools/docgen

.PHONY: setup lock
setup: $(VENV)/.installed  ## virtual environment with every locked dependency

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9

$(VENV)/.installed: $(VENV)/bin/uv requirements.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	@echo "Installing dependencies into $(VENV): half a minute, or a few the first time ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

IN_IMAGE := libs/contracts libs/chassis services/api-gateway services/meeting-core services/invitations \
            services/calendar-sync services/webhook-ingest tools/meetings-cli
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
          --no-annotate $(foreach m,contracts chassis client local-run simulators,--no-emit-package meetings-$m)

lock: $(VENV)/bin/uv  ## refresh the locks, keeping what is pinned; UPGRADE=1 takes newer versions
	@$(COMPILE) $(if $(UPGRADE),--upgrade) $(MEMBERS:%=%/pyproject.toml) --group dev -o requirements.lock
	@$(COMPILE) $(IN_IMAGE:%=%/pyproject.toml) --constraints requirements.lock -o deploy/docker/production.lock
	@$(COMPILE) $(IN_IMAGE:%=%/pyproject.toml) simulators/pyproject.toml --constraints requirements.lock \
	  -o deploy/docker/demo.lock
	@$(COMPILE) $(if $(UPGRADE),--upgrade) tests/clients/generators.in -o tests/clients/generators.lock

.PHONY: run tour
run: setup  ## the whole platform on this machine; KAFKA=apache for Apache Kafka; settings: $(BIN)/python -m localrun --help
	@$(BIN)/python -m localrun --with-parent

tour: setup  ## beside make run: a meeting travels through Kafka to mail and calendar and back, step by step
	@$(BIN)/python -m localrun.tour

.PHONY: test lint unit clocks e2e hostile rehearsal rehearsal-kubernetes chaos twoway bench profile
test: setup lint  ## everything a change must pass: lint, types, layers, then all tests on embedded infrastructure
	@$(BIN)/pytest $(ARGS)

lint: setup  ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy libs/*/src services/*/src simulators/src tools/*/src
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports --no-logo

unit: setup  ## the tests that need no infrastructure: seconds
	@$(BIN)/pytest -m "not integration and not e2e and not browser and not chaos" $(ARGS)

clocks: setup  ## pure tests at year's end, on DST nights, …; under one of them: make clocks ARGS="--only year-end tests/e2e"
	@$(BIN)/python -m tests.clocks $(ARGS)

e2e: setup  ## the whole platform through HTTP; KAFKA=apache for Apache Kafka
	@$(BIN)/pytest -m "e2e or browser or chaos" --kafka=$(or $(KAFKA),tansu) $(ARGS)

hostile: setup  ## what the OpenAPI descriptions allow and forbid, at length; EXAMPLES=… per operation, SEED=… repeats a run
	@HOSTILE_EXAMPLES=$(or $(EXAMPLES),200) HOSTILE_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/pytest -s tests/hostile $(ARGS)

rehearsal: setup  ## the deployment on a Docker engine of its own, without a registry; ARGS="--yes --folder /var/tmp/rehearsal"
	@$(BIN)/python -m tests.deployment.rehearsal $(ARGS)

rehearsal-kubernetes: setup  ## the manifests sent to a real API server, which Go builds first: a quarter of an hour, once
	@$(BIN)/python -m tests.deployment.rehearsal.kubernetes --folder $(or $(FOLDER),.local/kubernetes) $(ARGS)

chaos: setup  ## the failure campaign: make chaos ARGS="--minutes 30 --seed 7 --report docs/chaos/report.md"
	@$(BIN)/python -m tests.chaos.campaign $(ARGS)

twoway: setup  ## the campaign against two-way calendar sync: make twoway ARGS="--operations 500 --seed 1"
	@$(BIN)/python -m tests.chaos.twoway $(ARGS)

bench: setup  ## benchmarks against baselines, on Apache Kafka; results are kept in docs/benchmarks
	@$(BIN)/python -m benchmarks.requests
	@$(BIN)/python -m benchmarks.search
	@$(BIN)/python -m benchmarks.flood
	@$(BIN)/python -m benchmarks.deliveries
	@$(BIN)/python -m benchmarks.calendar
	@$(BIN)/python -m benchmarks.inward
	@$(BIN)/python -m benchmarks.webhooks
	@$(BIN)/python -m benchmarks.replies

profile: setup  ## where a create and a get spend CPU time: make profile ARGS="--operation get --service meeting-core"
	@$(BIN)/python -m benchmarks.profile $(ARGS)

.PHONY: audit
audit: setup  ## known vulnerabilities of the locked dependencies; fails when they cannot be looked up
	@$(BIN)/uv tool run --quiet pip-audit==2.10.1 --strict --disable-pip --require-hashes -r requirements.lock

.PHONY: acls
acls: setup  ## the broker's ACLs as kafka-acls commands; another service's: ARGS="--subscriber NAME"; created: ARGS=--apply
	@$(BIN)/python -m chassis.acls $(ARGS)

.PHONY: schemas docs release-contracts
schemas: setup  ## golden schemas and samples of today's contracts; then look at the difference
	@$(BIN)/python -m docgen schemas

docs: setup  ## the pages under docs/generated
	@$(BIN)/python -m docgen docs

.PHONY: site pictures
site: setup  ## the documentation as a site, in build/site/html; fails where a link leads nowhere
	@$(BIN)/python -m docgen site >/dev/null
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict -f build/site/mkdocs.yml -d html
	@echo "Look at it at http://127.0.0.1:8000 with: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site/html"

pictures: setup  ## take the pictures of README anew, from a running platform in Chromium
	@PICTURES=docs/pictures $(BIN)/pytest -q tests/browser/test_pictures.py

release-contracts: setup  ## promise today's contracts for good (docs/decisions/0008); refused when an earlier promise would break
	@$(BIN)/python -m docgen schemas release docs
