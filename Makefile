# Seatrial's tasks. Needs Python >= 3.11, git and make; everything else is installed into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLIENTS := $(VENV)/.clients
# Many tests wait for a cluster to do something: half as many again as there are processors keep these busy.
WORKERS = $(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )))
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# What Python compiled is kept: the tests start it some hundred times, and pytest rewrites all of them for each worker.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check conformance fault-matrix docs bench bench-sandbox clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv and install Seatrial with its development tools

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Seatrial needs Python 3.11 or later as '$(PYTHON)'; name another one: make PYTHON=python3.12" >&2; exit 1; }
	@if command -v uv >/dev/null; then \
		{ test -x $(BIN)/python || uv venv --quiet --python "$$(command -v $(PYTHON))" $(VENV); } && \
		uv pip install --quiet --python $(BIN)/python --group dev --editable .; \
	else \
		$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
			{ echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
		{ test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); } && \
		$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
		$(BIN)/python -m pip install --quiet --group dev --editable .; \
	fi
	@touch $(STAMP)

# Other people's clients, which the sandbox is tested with; a kubectl, an OpenSSH server, firewalls and Prometheus with
# Alertmanager and Pushgateway where the machine has none.
$(CLIENTS): pyproject.toml $(STAMP)
	@if command -v uv >/dev/null; then \
		uv pip install --quiet --python $(BIN)/python --group clients; \
	else \
		$(BIN)/python -m pip install --quiet --group clients; \
	fi
	@$(BIN)/python -m tests.kubectl_download || echo "The tests that need kubectl will be skipped." >&2
	@$(BIN)/python -m tests.sshds || echo "The tests that need an OpenSSH server will be skipped." >&2
	@$(BIN)/python -m tests.monitoring_servers || echo "The tests that need Prometheus will be skipped." >&2
	@$(BIN)/python -m tests.firewalls || echo "The tests that need nftables or iptables will be skipped." >&2
	@$(BIN)/python -m tests.postgres_servers || echo "The tests that need a PostgreSQL server will be skipped." >&2
	@touch $(CLIENTS)

demo: setup ## Run the first experiment on the embedded sandbox
	@$(BIN)/seatrial autonomous --sandbox --load examples/manifests/goldpinger.yml --policy-file examples/kill-half.yml

test: setup $(CLIENTS) ## Run all tests
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

check: setup ## Lint, check formatting, types and layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

conformance: setup $(CLIENTS) ## Replay recordings of a real cluster; make conformance GOLDEN=DIR TOPICS="auth watch"
	@$(BIN)/python -m tests.conformance $(if $(GOLDEN),--golden $(GOLDEN)) $(TOPICS)

fault-matrix: setup $(CLIENTS) ## Let everything go wrong at every moment, and write down what is left
	@$(BIN)/python -m tests.faults.matrix $(ARGS)

docs: setup ## Generate docs/reference and deploy/monitoring
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m tests.conformance.deliberate

bench: setup ## Run the benchmarks
	@$(BIN)/python -m benchmarks

bench-sandbox: setup ## Print the sandbox's figures
	@$(BIN)/python -m benchmarks sandbox

clean: ## Remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
