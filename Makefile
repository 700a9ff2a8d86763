# Postgrad: `make demo` shows the whole pipeline, `make test` tests it. Both make .venv first, if need be.

PYTHON ?= python3
SNAKEMAKE_ARGS ?=
PYTEST_ARGS ?=
RECIPE ?=
# Of `make task` and `make watch`. An environment may have a NAME that means something else.
FROM =
NAME =
STUDY =
DATA =
TEXT =
LABEL =

VENV := .venv
IN_ENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
# DeepSpeed is built from source; its CUDA kernels are not needed, and want a compiler.
INSTALL := DS_BUILD_OPS=0 $(VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check
DONE := $(VENV)/.installed
DONE_DEV := $(VENV)/.installed-dev
DONE_PLUGIN := $(VENV)/.installed-plugin
DONE_SLURM := $(VENV)/.installed-slurm

.DEFAULT_GOAL := help
.PHONY: help env slurm demo watch task test test-all lint graph reference

help:
	@echo "make demo      run the study 'demo' (made-up posts, tiny models, offline) and print its verdict"
	@echo "make watch     show the run of a study while it goes on: make watch STUDY=public"
	@echo "make task      write a task file and a study for a file: make task FROM=posts.csv NAME=stance"
	@echo "make test      run the tests that a change needs before a commit"
	@echo "make test-all  run make test and then the slow tests, as CI does"
	@echo "make lint      check the style of Python and rules, check types, and lint the workflow"
	@echo "make graph     draw every recipe into docs/graphs; only one: make graph RECIPE=ctyun"
	@echo "make reference write docs/reference.md and docs/catalogue.md from the configuration"
	@echo "make env       only make the environment in $(VENV)"
	@echo "make slurm     the environment with what submits jobs to a SLURM cluster"

env: $(DONE)

slurm: $(DONE_SLURM)

# A run ends with the verdict; a second one, which has nothing to do, prints it from the file.
demo: $(DONE)
	@touch $(VENV)/.demo
	@$(IN_ENV) snakemake $(SNAKEMAKE_ARGS)
	@find results/demo/verdict.txt ! -newer $(VENV)/.demo -exec cat {} + 2> /dev/null || true

watch: $(DONE)
	@$(IN_ENV) PYTHONPATH=workflow/scripts python workflow/watch.py --study "$$STUDY"

# The variables reach the program through the environment, so that a path may hold any character.
task: $(DONE)
	@$(IN_ENV) PYTHONPATH=workflow/scripts python workflow/new_task.py --recipe starter --scale laptop \
	  --from "$$FROM" --name "$$NAME" --data "$$DATA" --text "$$TEXT" --label "$$LABEL"

test: $(DONE_DEV)
	@$(IN_ENV) pytest tests -m "not slow" -n 2 --no-loadscope-reorder $(PYTEST_ARGS)

# The tests that measure time run first and alone.
test-all: test $(DONE_PLUGIN)
	@$(IN_ENV) pytest tests/workflow/test_speed.py
	@$(IN_ENV) pytest tests -m slow --ignore=tests/workflow/test_speed.py -n 2 --no-loadscope-reorder -r s $(PYTEST_ARGS)

lint: $(DONE_DEV)
	@$(IN_ENV) ruff check .
	@$(IN_ENV) ruff format --check .
	@$(IN_ENV) snakefmt --check Snakefile workflow
	@$(IN_ENV) mypy --no-error-summary
	@$(IN_ENV) snakemake --lint

graph: $(DONE)
	@$(IN_ENV) PYTHONPATH=workflow/scripts python docs/draw_recipe.py $(RECIPE)

reference: $(DONE)
	@$(IN_ENV) PYTHONPATH=workflow/scripts python docs/write_reference.py
	@$(IN_ENV) PYTHONPATH=workflow/scripts python docs/write_catalogue.py

# The stamps are written last: an interrupted install is begun anew.
$(DONE): requirements.txt constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  { echo "Postgrad needs Python 3.11 or newer: '$(PYTHON)' is missing or older. Try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c "import venv, ensurepip" 2> /dev/null || \
	  { echo "'$(PYTHON)' cannot make environments. Install its venv module, on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test ! -L $(VENV) || \
	  { echo "$(VENV) is a link to an environment that others may use, and would be emptied. Install what requirements.txt lists there, or remove the link." >&2; exit 1; }
	@echo "Making the environment in $(VENV): once, about two minutes on a fast line, 2 GB of disk."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(INSTALL) -r requirements.txt -c constraints.txt
	@touch $@

$(DONE_DEV): requirements-dev.txt $(DONE)
	@echo "Adding the tools for tests and lint to $(VENV)."
	@$(INSTALL) -r requirements-dev.txt -c constraints.txt
	@touch $@

# The tests find the plugin in a folder of its own; beside Snakemake it would slow down every other start.
$(DONE_PLUGIN): requirements-slurm.txt $(DONE)
	@echo "Adding Snakemake's plugin for SLURM to $(VENV)/slurm."
	@$(INSTALL) --upgrade --no-deps --target $(VENV)/slurm -r requirements-slurm.txt
	@touch $@

$(DONE_SLURM): requirements-slurm.txt $(DONE)
	@echo "Adding what submits jobs to $(VENV)."
	@$(INSTALL) -r requirements-slurm.txt -c constraints.txt
	@touch $@
