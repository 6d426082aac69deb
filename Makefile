# Two commands need nothing but Python 3.11: `make demo` and `make test`. Each makes its own .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN_DEPS := $(VENV)/.run
DEV_DEPS := $(VENV)/.dev
E2E_DEPS := $(VENV)/.e2e
GO ?= go
COLLECTOR := $(VENV)/collector/otelcol-spanwitness
BALANCER := $(VENV)/load-balancing/otelcol-load-balancing
MONITORING := $(VENV)/prometheus
# The programs of the tests around Prometheus.
MONITORED := SPANWITNESS_E2E_PROMETHEUS=$(MONITORING)/prometheus SPANWITNESS_E2E_PROMTOOL=$(MONITORING)/promtool \
	SPANWITNESS_E2E_ALERTMANAGER=$(MONITORING)/prometheus-alertmanager

.PHONY: help demo test e2e e2e-prometheus e2e-load-balancing peers lint fix bench agreement proto clean

help:  ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## (.*)/make \1	\2/' | expand -t 25

demo: $(RUN_DEPS)  ## Seven agents, one silent swap: serve on an embedded store, send recorded telemetry, show the record
	$(BIN)/spanwitness demo

test: $(DEV_DEPS)  ## All tests, on the real embedded engine; on as many cores as there are, up to four
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

e2e: $(E2E_DEPS) $(COLLECTOR) $(MONITORING)/.there  ## With a real Collector on both sides, Rotel, Prometheus and Alertmanager; needs go
	SPANWITNESS_E2E=$(COLLECTOR) $(MONITORED) $(BIN)/python -m pytest tests/e2e

e2e-prometheus: $(DEV_DEPS) $(MONITORING)/.there  ## Of these, what is around Prometheus and Alertmanager alone
	$(MONITORED) $(BIN)/python -m pytest tests/e2e

e2e-load-balancing: $(E2E_DEPS) $(BALANCER)  ## The captures through the load-balancing exporter to two SpanWitness; a long build
	SPANWITNESS_E2E_LOAD_BALANCING=$(BALANCER) $(BIN)/python -m pytest tests/e2e

peers: $(VENV)/peers/.there $(VENV)/peers-openai-1/.there  ## The adapters of other projects' metrics, with the real packages; 1.7 GB
	for each in $(dir $^); do $$each/bin/python -m pytest --confcutdir tests/peers -o filterwarnings=default -rs tests/peers || exit; done

lint: $(DEV_DEPS)  ## ruff and mypy, strict, on src and tests
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy

fix: $(DEV_DEPS)  ## What ruff can mend by itself
	$(BIN)/ruff check --fix src tests
	$(BIN)/ruff format src tests

bench: $(DEV_DEPS)  ## Durable throughput beside the engine's own insert rate; what the SDK, drift, the ledger and scores add
	$(BIN)/python tests/bench/bench.py
	$(BIN)/python tests/bench/sdk_bench.py
	$(BIN)/python -m tests.bench.drift_cost
	$(BIN)/python -m tests.bench.fleet
	$(BIN)/python -m tests.bench.scoring

agreement: $(DEV_DEPS)  ## How far each evaluator agrees with the labelled data in DATA=DIR, into docs/evaluators
	$(BIN)/python -m tests.bench.agreement $(DATA)

proto: $(DEV_DEPS)  ## The message descriptors, after a change in proto/
	$(BIN)/python -m grpc_tools.protoc -Iproto --descriptor_set_out=src/spanwitness/decode/otlp_columns.binpb \
		proto/otlp_columns.proto

clean:  ## The virtual environment and the demo's store
	rm -rf $(VENV) .spanwitness

$(VENV)/.pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spanwitness needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	touch $@

$(RUN_DEPS): pyproject.toml $(VENV)/.pip
	$(BIN)/python -m pip install --quiet --editable '.[server,embedded]'
	touch $@

$(DEV_DEPS): $(RUN_DEPS)
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

$(E2E_DEPS): $(DEV_DEPS)
	$(BIN)/python -m pip install --quiet --group e2e
	touch $@

$(VENV)/peers/.there $(VENV)/peers-openai-1/.there: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(@D)/bin/python -m pip install --quiet --editable '.[server]' --group $(notdir $(@D))
	touch $@

$(MONITORING)/.there: tests/e2e/prometheus.sh | $(VENV)/.pip
	sh $< $(@D)
	touch $@

# The builder writes the program. It is not left to fetch the modules, since it would fetch what their own tests need too;
# nor is the go.mod kept that some of its releases write all the same. A manifest's own version is that of the release.
$(COLLECTOR): deploy/collector/builder.yaml
$(BALANCER): deploy/collector/builder-load-balancing.yaml
$(COLLECTOR) $(BALANCER): | $(VENV)/.pip
	@command -v $(GO) >/dev/null || { echo "a Collector is built with go, and there is none on PATH: https://go.dev/dl/"; exit 1; }
	rm -rf $(@D)
	release=v$$(sed -n 's/^ *version: //p' $<) && \
		GOBIN=$(CURDIR)/$(@D)/bin $(GO) install go.opentelemetry.io/collector/cmd/builder@$$release && \
		$(@D)/bin/builder --skip-get-modules --skip-compilation --config $< && \
		modules=$$(sed -n 's/^ *- gomod: \([^ ]*\) /\1@/p' $<) && \
		cd $(@D) && rm -f go.mod && $(GO) mod init $(@F) && \
		$(GO) get go.opentelemetry.io/collector/otelcol@$$release $$modules && \
		$(GO) build -mod=mod -trimpath -buildvcs=false -ldflags='-s -w' -o $(@F) .
