# Two commands need nothing but Python 3.11: `make demo` and `make test`. Each makes its own .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN_DEPS := $(VENV)/.run
DEV_DEPS := $(VENV)/.dev

.PHONY: help demo test lint fix bench proto clean

help:  ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/make \1	\2/' | expand -t 14

demo: $(RUN_DEPS)  ## Seven agents, one silent swap: serve on an embedded store, send recorded telemetry, show the record
	$(BIN)/spanwitness demo

test: $(DEV_DEPS)  ## All tests, on the real embedded engine
	$(BIN)/python -m pytest

lint: $(DEV_DEPS)  ## ruff and mypy, strict, on src and tests
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy

fix: $(DEV_DEPS)  ## What ruff can mend by itself
	$(BIN)/ruff check --fix src tests
	$(BIN)/ruff format src tests

bench: $(DEV_DEPS)  ## Durable throughput beside the engine's own insert rate, in one run
	$(BIN)/python tests/bench/bench.py

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
