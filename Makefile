# `make` lists the targets. Each makes what it needs: the environment is installed once, and again when a pin changes.
PYTHON ?= python3

VENV = .venv
RUN = $(VENV)/bin/python
PIP = $(RUN) -m pip --disable-pip-version-check

.PHONY: help quickstart cifar test lint check docs tensorboard lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

quickstart: $(VENV)/.installed ## install, train the built-in network on `shapes`, write the whole report and name it
	$(RUN) -m cnnlab train --full-report

cifar: $(VENV)/.installed ## train configs/cifar.yaml on the real CIFAR-10; downloads 170 MB unless CNNLAB_DATA has it
	$(RUN) -m cnnlab train configs/cifar.yaml

test: $(VENV)/.installed-dev ## run the tests
	$(RUN) -m pytest

lint: $(VENV)/.installed-dev ## ruff and mypy, strict
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

check: lint test ## lint, then test

docs: $(VENV)/.installed-dev ## write the pages again that are made from the code
	$(RUN) tests/make_docs.py

tensorboard: $(VENV)/.installed ## show the curves of every run in the browser
	$(RUN) -m tensorboard.main --logdir runs

lock: ## remake requirements.lock from the newest versions that pyproject.toml allows
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install torch==2.14.1 torchvision==0.29.1 --editable '.[dev]'
	{ grep '^#' requirements.lock; build/lock/bin/python -m pip freeze --all --exclude-editable --exclude pip \
	  | sed -E 's/^((nvidia|cuda)-.*|triton==.*)$$/\1; sys_platform == "linux" and platform_machine == "x86_64"/'; \
	} > build/requirements.lock
	mv build/requirements.lock requirements.lock
	rm -rf build/lock

clean: ## remove the environment and every cache; runs and data stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock serves as constraints, so that `quickstart` installs what it needs at the pinned versions, and no more.
# setuptools comes first and builds the package itself: no second, unpinned one is fetched for that.
$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cnnlab needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint requirements.lock setuptools
	$(PIP) install --constraint requirements.lock --no-build-isolation --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --constraint requirements.lock --no-build-isolation --editable '.[dev]'
	touch $@
