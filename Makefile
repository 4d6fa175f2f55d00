# The report and its tool, on a machine with Python 3.11 to 3.13 and make.

# The first of these that is new enough, unless given: make book PYTHON=/path/to/python
CANDIDATES := python3.13 python3.12 python3.11 python3 python
PYTHON ?= $(shell for candidate in $(CANDIDATES); do \
  $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
  && echo $$candidate && break; done)
# Passed to pip as it is, for instance another index: make book PIP_ARGS="--index-url ..."
PIP_ARGS ?=
CORES ?= 2

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help book published full test lint clean

help:
	@echo "make book    run every notebook small, on data that needs no download, and build the book (minutes)"
	@echo "make published  the book of the published results alone: no experiment is run (a minute or two)"
	@echo "make full    the same on the real data sets, over seeds: what the published numbers come from (minutes)"
	@echo "make test    the test suite"
	@echo "make lint    style and types"
	@echo "make clean   remove the book and the results of profiles quick and published; other results and $(VENV) stay"
	@echo
	@echo "Settings: CORES=$(CORES) PYTHON=$(PYTHON) PIP_ARGS=$(PIP_ARGS)"

book: $(READY)
	$(BIN)/prunelab build --profile quick --cores $(CORES)

published: $(READY)
	$(BIN)/prunelab build --profile published --cores $(CORES)

full: $(READY)
	$(BIN)/prunelab build --profile full --cores $(CORES)

test: $(READY)
	$(BIN)/python -m pytest -q -n $$((2 * $(CORES))) --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf _build book/executed results/quick results/published .snakemake

# Made again when the project's requirements or their pins change; an interrupted install leaves no stamp.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: none of $(CANDIDATES) is Python 3.11, 3.12 or 3.13;" \
	  "install one, or name it: make PYTHON=/path/to/python" >&2; exit 2; }
	@rm -f $(READY)
	"$(PYTHON)" -m venv $(VENV) || { echo "error: $(PYTHON) cannot make a virtual environment;" \
	  "on Debian and Ubuntu install python3-venv" >&2; exit 2; }
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[book,test]'
	@touch $(READY)
