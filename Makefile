SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup build demo spans test lint bench prometheus apiserver clean

PY := .venv/bin/python
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_OBJECTS := $(BPF_SOURCES:.c=.o)
WIRES := $(addprefix exporter/llmslo_exporter/,table.py automaton.py partition.py heads.py streams.py levels.py states.py actions.py wire.py) \
  $(wildcard exporter/llmslo_exporter/dialects/*.py)
BPF_ARCH := $(subst aarch64,arm64,$(subst x86_64,x86,$(shell uname -m)))

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what the machine lacks: Debian packages, .venv, both commands (nothing when all is there)
	@.ci/setup

build: setup $(BPF_OBJECTS) bpf/llmslo.table ## compile the BPF object and the table of the dialects

bpf/%.bpf.o: bpf/%.bpf.c $(shell find bpf -name '*.[ch]') | setup
	clang -O2 -g -Wall -Werror -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -I bpf -c $< -o $@.tmp
	llvm-strip -g $@.tmp
	mv $@.tmp $@

bpf/llmslo.table: $(WIRES) | setup
	$(PY) -m llmslo_exporter.table > $@.tmp
	mv $@.tmp $@

demo: build ## a real model's streams in a real Prometheus, then an outage and its page (KEEP=1: leave it running)
	@$(PY) -m deploy.demo $(if $(KEEP),--keep)

spans: setup ## record the spans of tests/data/spans anew: real instrumentations, the demo's real model, 22 minutes
	@.venv/bin/python -m pip --quiet --retries 3 install -c constraints.txt --group spans
	@$(PY) -m tests.spans $(ARGS)

test: build ## every test; as root on a kernel with BTF, those of the kernel too
	@$(PY) -m pytest $(ARGS)

lint: setup ## ruff, mypy, import contracts
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: build ## measure what the exporter and the rules cost
	@$(PY) -m tests.bench $(ARGS)

prometheus: setup ## build Prometheus 3 with Go (minutes), for the tests that then run on it too
	@$(PY) -m tests.rules.prometheus3

apiserver: setup ## build a kube-apiserver with Go (minutes), and let it judge the rules for operators
	@$(PY) -m tests.rules.apiserver

clean: ## remove what was built and installed here
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	rm -f bpf/*.bpf.o bpf/*.table bpf/*.tmp
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
