# Every verb sets up what it needs by itself. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PAYGO_HOME := $(abspath $(or $(PAYGO_HOME),.paygo))
export PATH := $(PAYGO_HOME)/bin:$(PATH)
# A configuration file that is named but missing makes Terraform warn before everything it says.
ifeq ($(wildcard $(TF_CLI_CONFIG_FILE)),)
unexport TF_CLI_CONFIG_FILE
endif
unexport VIRTUAL_ENV
# Importing AWS's packages without compiled files takes a second more, every time.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
CLOUD := local/.venv/bin/python -m paygo_cloud
WORKERS ?= 2

# What deploy and destroy are told; a branch name may hold anything, so it travels in the environment.
export BRANCH PROFILE STAGE REGION TTL ARCHITECTURE MAIL_SENDER ALARM_ADDRESS DELAY_SCALE PARTNER_URLS TOKEN_KEYS FIREWALL PARTNER_NETWORK JANITOR_APPLIES REPLACE COMPARE ROLES
export SECRET STEP SERVICE TO EMERGENCY OIDC BUDGET BRANCHES APPLY
# What a pipeline is told of a change.
export SINCE TARGET COMMIT OWNER

# What the deploy of a stack that only tests use shortens its delays to.
SOAK_DELAY_SCALE := 0.0167

.PHONY: $(shell grep -oE '^[a-z][a-z-]*:' $(MAKEFILE_LIST) | tr -d :)

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## from nothing to a device that has been paid for, on the embedded cloud
	@./setup.sh
	@$(PYTHON) -m demo

deploy: ## BRANCH=x [PROFILE=p] [STAGE=..] [TTL=8h] [ROLES=service]: bring a branch's stack up
	@./setup.sh
	@$(PYTHON) -m deploy up

rollback: ## BRANCH=x [PROFILE=p] [SERVICE=s] [TO=<release>]: point functions at their previous versions, in seconds
	@./setup.sh python
	@$(PYTHON) -m deploy rollback

destroy: ## BRANCH=x [PROFILE=p]: take a branch's stack away, and show that nothing is left
	@./setup.sh
	@$(PYTHON) -m deploy destroy

status: ## BRANCH=x [PROFILE=p]: what is there of a branch's stack
	@./setup.sh
	@$(PYTHON) -m deploy status

unlock: ## BRANCH=x [PROFILE=p]: free a stack whose deploy died on another machine
	@./setup.sh
	@$(PYTHON) -m deploy unlock

capacity: ## [PROFILE=p] [ROLES=service]: how many stacks the account holds, and which quota decides
	@./setup.sh
	@$(PYTHON) -m deploy capacity

needs: ## record what a stack needs of the account's quotas, from Terraform's plan
	@./setup.sh
	@$(PYTHON) -m tests.policy.needs

janitor: ## [BRANCH=x] [BRANCHES=origin] [PROFILE=p] [APPLY=yes]: what stacks nobody needs, and what they cost; APPLY=yes removes them
	@./setup.sh python
	@$(PYTHON) -m janitor

dead-letters: ## BRANCH=x [PROFILE=p] [DO="show <id>"|"redrive --service s --rate 5"|"discard <id> --reason '..'"|errors]: what got stuck
	@./setup.sh python
	@$(PYTHON) -m operate $(or $(DO),list)

audit: ## BRANCH=x [PROFILE=p] [DO="--day 2026-11-21 --household <id> --act signed-in"]: who did what, when and from where
	@./setup.sh python
	@$(PYTHON) -m operate audit $(DO)

rotate: ## BRANCH=x [PROFILE=p] SECRET=partners/<name> [STEP=next|finish]: change a secret without locking anybody out
	@./setup.sh python
	@$(PYTHON) -m operate rotate

secret: ## STAGE=staging|production SECRET=outbound/<name> [PROFILE=p]: give a stage what no deploy can make up
	@./setup.sh python
	@$(PYTHON) -m operate secret

approve: ## BRANCH=x STAGE=production [COMMIT=c] [PROFILE=p]: approve a commit, for somebody else to deploy
	@./setup.sh
	@$(PYTHON) -m deploy approve

account: ## [PROFILE=p] [MAIL_SENDER=a] [ALARM_ADDRESS=a] [OIDC=..] [BUDGET=n]: what an account has once, and what it still lacks
	@./setup.sh
	@$(PYTHON) -m deploy account

changes: ## [SINCE=origin/main]: what kind of change there is since a commit: docs, front-end or code
	@./setup.sh python
	@$(PYTHON) -m ci changes

stack: ## BRANCH=x [SINCE=origin/main] [TARGET=main] [PROFILE=p]: deploy, unless only docs or the front end changed
	@./setup.sh
	@$(PYTHON) -m ci stack

destroy-merged: ## OWNER=x [SINCE=HEAD^1] [TARGET=main] [PROFILE=p]: take away the stacks of the branches merged since
	@./setup.sh
	@$(PYTHON) -m ci destroy-merged

build: ## build the layer and the services' zips (TARGET=local|x86_64|arm64)
	@./build.sh --target $(or $(TARGET),local)

start: ## start the embedded cloud
	@./setup.sh python
	@$(CLOUD) start

stop: ## stop the embedded cloud, and all that is on it with it
	@./setup.sh python
	@$(CLOUD) stop

test: ## everything: lint, unit, policy, local cloud, integration, the whole journey, delivery, faults
	@.ci/tests

faults: ## play faults for some minutes, on the stack of the branch faults
	@./setup.sh
	@BRANCH=faults DELAY_SCALE=0.001 $(PYTHON) -m deploy up
	@PYTHONPATH=lambdas $(PYTHON) -m faults --branch faults

soak: ## play faults with ten thousand events, on the stack of the branch soak
	@./setup.sh
	@BRANCH=soak DELAY_SCALE=$(SOAK_DELAY_SCALE) $(PYTHON) -m deploy up
	@PYTHONPATH=lambdas $(PYTHON) -m faults --soak --branch soak

unit: ## unit and contract tests, every line and branch covered
	@./setup.sh python
	@$(PYTHON) -m pytest tests/unit tests/contract -q -n $(WORKERS) --cov --cov-report=term

lint: ## ruff, types, house rules, contract, Terraform
	@./setup.sh lint
	@.ci/lint

bench: ## measure every figure we promise
	@./setup.sh
	@$(PYTHON) -m bench

bench-delivery: ## half an hour: stacks at once, behind AWS's rates, torn down by the dozen, killed on the way
	@./setup.sh
	@$(PYTHON) -m bench build fleet throttled rehearsal killed

docs: ## render the contract as a page, and export events and topics from the models
	@./setup.sh python
	@PYTHONPATH=lambdas:layers/shared $(PYTHON) -m contracts.export

clean: ## stop the embedded cloud and remove all that was made here
	@if [ -x local/.venv/bin/python ]; then $(CLOUD) stop; fi
	@rm -rf "$(PAYGO_HOME)" .venv local/.venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  .coverage htmlcov local/.mypy_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find . -name .terraform.lock.hcl -delete
