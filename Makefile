# One command each: everything sets itself up in .venv first. `make help` lists them.

PY := .venv/bin/python
PROFILE ?= auto
NB ?=
ONLY ?=
FIND := for p in $(PYTHON) $(PY) python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && exit; done
# Kernels and tools of .venv come before anything else of the same name on this machine.
export JUPYTER_PREFER_ENV_PATH := 1

.PHONY: help setup lab test run checkpoints results bench claims
.DEFAULT_GOAL := help

help:
	@echo "make lab                     set everything up and open the first notebook"
	@echo "make test                    set everything up and run every check"
	@echo "make run PROFILE=cpu NB=01   run notebooks headless into build/ (smoke, cpu, gpu or auto;"
	@echo "                             all of them without NB)"
	@echo "make checkpoints ONLY=base   train what data/checkpoints lacks, or the ones named"
	@echo "make results                 run the experiments that data/results lacks (hours)"
	@echo "make bench                   time sampling and training beside their peers"
	@echo "make claims                  print the table of claims from the recorded results"
	@echo "Needs Python 3.11 or newer; PYTHON=/path/to/python names one."

setup:
	@found=$$($(FIND)); [ -n "$$found" ] || { \
	echo "o1lab needs Python 3.11 or newer and finds none: install one (python.org) or name it," \
	"make lab PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	"$$found" o1lab/make/setup.py

lab: setup
	@$(PY) -m o1lab.make.lab

test: setup
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(PY) -m pytest -n 2

run: setup
	@$(PY) -m o1lab run --profile "$(PROFILE)" $(if $(NB),--only $(NB))

checkpoints: setup
	@$(PY) -m o1lab checkpoints $(if $(ONLY),--only $(ONLY))

results: setup
	@$(PY) -m o1lab results

bench: setup
	@$(PY) -m o1lab bench

claims: setup
	@$(PY) -m o1lab claims
