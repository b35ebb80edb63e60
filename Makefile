# Cairn's jobs. `make help` lists them; each does only what is not done yet.

PYTHON ?= python3
# Processes of tests: more than cores, since what drives a browser or kills processes mostly waits.
JOBS ?= 4
BIN := .venv/bin
OURS := config playbooks insights journeys messaging segments consent profiles staff foundation
MYPY := $(BIN)/mypy $(OURS) tests $(wildcard benchmarks)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test lint types bench lock dev browser

help:  ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

install: .venv/installed  ## Makes .venv with what Cairn runs on

demo: install  ## Starts Cairn and shows it on sample data (ONCE=1 to end after it; PORT, CAIRN_HOME)
	@$(BIN)/python manage.py demo

test: dev browser  ## Every check: style, types, architecture, migrations, deployment, all tests
	@$(call stage,ruff check,$(BIN)/ruff check .)
	@$(call stage,ruff format,$(BIN)/ruff format --check .)
	@$(call stage,lint-imports,$(BIN)/lint-imports)
	@$(call stage,makemigrations --check,$(SCRATCH_HOME); $(BIN)/python manage.py makemigrations --check --dry-run)
	@$(call stage,check --deploy,$(AS_IN_PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING)
	@.ci/beside mypy '$(MYPY)' pytest '$(BIN)/pytest -n $(JOBS) || .ci/again $$?'

lint: dev  ## Style and architecture
	@$(call stage,ruff check,$(BIN)/ruff check .)
	@$(call stage,ruff format,$(BIN)/ruff format --check .)
	@$(call stage,lint-imports,$(BIN)/lint-imports)

types: dev  ## Types
	@$(call stage,mypy,$(MYPY))

bench: dev  ## Speed: absolute figures, and ratios to what this machine can do
	@$(BIN)/python -m benchmarks

lock:  ## Pins requirements*.in as requirements*.lock, with hashes and no index address
	@command -v uv >/dev/null || { echo "make lock needs uv: python3 -m pip install uv"; exit 1; }
	@$(COMPILE) requirements.in -o requirements.lock
	@$(COMPILE) requirements-dev.in -o requirements-dev.lock

dev: .venv/installed-dev

browser:
	@.ci/chromium

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Cairn needs Python 3.11 or later; name one by PYTHON=…")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "Python could not make .venv: its venv module is missing (Debian: apt-get install python3-venv)."; exit 1; }
	@echo "Installing what Cairn runs on into .venv."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.lock
	@echo "Installing what the checks need into .venv."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

# $(call stage,NAME,COMMAND): says what runs and, should it fail, what failed.
stage = echo "── $(1)"; ( $(2) ) || { echo "── $(1) failed"; exit 1; }

SCRATCH_HOME = CAIRN_HOME=$$(mktemp -d); export CAIRN_HOME; trap 'rm -rf "$$CAIRN_HOME"' EXIT

# Settings of a real installation: nothing listens at these addresses, and nothing asks them.
A_SECRET = $$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')
AS_IN_PRODUCTION = env -u CAIRN_CLOCK DATABASE_URL=postgres://app@db.invalid/cairn CELERY_BROKER_URL=redis://broker.invalid \
	BASE_URL=https://crm.example.com SECRET_KEY=$(A_SECRET) SUPPRESSION_KEY=$(A_SECRET) LINK_KEYS="{\"1\": \"$(A_SECRET)\"}"

COMPILE = uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header
