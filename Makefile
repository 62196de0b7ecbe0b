# `make test` and `make demo` set up everything themselves, on a machine with nothing installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_WAIT_POLICY := PASSIVE
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
# How many processes test: one for each core, and each computes with one thread. On a larger machine: make test WORKERS=8
WORKERS ?= 2
# What is imported is compiled then; to compile all that could be takes a minute.
QUICKLY := --no-compile --quiet --disable-pip-version-check
PYTEST := -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: demo faults test test-lowest check install bench docs format system clean

install: $(VENV)/.installed  ## the virtual environment and every package, pinned

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(QUICKLY) torch==$$(sed -n 's/^torch==//p' constraints.txt)
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[demo,sentence,quant,track,wandb,dev]'
	touch $@

system:  ## a browser, for the test that opens the report
	@command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || \
	  { echo "installing chromium for the test of the report"; \
	    SUDO=$$(if [ "$$(id -u)" = 0 ]; then echo; else echo sudo; fi); \
	    $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; }

demo: install  ## the whole story, offline, on generated tickets
	$(BIN)/tunewright demo

test:  ## all that CI runs
	@$(MAKE) --no-print-directory -j 2 install system
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST)

check: install  ## the inner loop: format, lint, types, fast tests
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST) -m "not slow"

faults: install  ## fifty killed runs, and one within each write, fsync and rename
	$(BIN)/python -m tests.faults.farm benchmarks/results/$$(date +%F)-faults.json --calls

test-lowest: system  ## the tests on the oldest releases that pyproject.toml admits
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet torch==$$(sed -n 's/^torch==//p' constraints-lowest.txt)
	.venv-lowest/bin/python -m pip install --quiet -c constraints-lowest.txt -e '.[demo,sentence,quant,track,wandb,dev]'
	OMP_NUM_THREADS=1 .venv-lowest/bin/python $(PYTEST)

bench: install  ## speed and quality, side by side with what a user would pick instead
	$(BIN)/python -m benchmarks

docs: install  ## the reference pages, from the code
	$(BIN)/python docs/reference/generate.py

clean:
	rm -rf $(VENV) runs datasets demo build dist .mypy_cache .ruff_cache
