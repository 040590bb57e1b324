# `make demo` and `make test` do all their own set-up on a fresh Debian or Ubuntu machine.
# What is downloaded or built once is kept in the user's cache folder and in the Docker Engine.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
DEMO ?=
PYTEST ?=

.PHONY: help demo test lint format lock starter clean

help:
	@echo "make demo    set everything up and compare two local models on the starter suite"
	@echo "make test    set up what the tests need and run them all"
	@echo "make lint    ruff and mypy, as CI runs them"
	@echo "make format  let ruff put the code into its form"
	@echo "make lock    choose the newest versions that fit and lock them (needs uv)"
	@echo "make starter list the files of the starter suite, after a change of them was added to git"
	@echo "make clean   remove the virtual environment and what tools left"

demo: $(VENV)/installed
	@$(BIN)/ksolve demo $(DEMO)

test: $(VENV)/installed
	@$(BIN)/ksolve doctor --mend --part engine --part base-image --part server --part qwen2.5-coder-0.5b
	@command -v chromium >/dev/null || \
	  { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y chromium >/dev/null; }
	@KSOLVE_REQUIRE_DOCKER=1 KSOLVE_REQUIRE_MODEL=1 KSOLVE_REQUIRE_BROWSER=1 $(BIN)/pytest $(PYTEST)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --upgrade --quiet --output-file requirements.lock

starter:
	cd tasks/starter && git ls-files --stage -- images sweb.yaml tasks > tracked-files.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ksolve needs Python 3.11 or newer: name one with make PYTHON=..."; exit 2; }
	@echo "Installing ksolve into $(VENV) (about a minute) ..."
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || \
	  { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y python3-venv >/dev/null && \
	    $(PYTHON) -m venv $(VENV); } || \
	  { echo "Python's venv module is missing: install python3-venv."; exit 3; }
	@$(BIN)/python -m pip install -qq --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@
