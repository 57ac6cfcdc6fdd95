# Short names for the commands that matter; every one of them also works without make.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint bench lock changelog wheel clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Deploy and verify the lab profile on a lab machine of this computer (root)
	script/demo

test: ## Run the quick test levels
	script/test

test-all: ## Run every test level, lab machines included (root)
	script/test --all

lint: ## Run every linter over all files
	script/test --only lint

bench: ## Compare a deployment of files with a bare shell script, on two fresh lab machines (root)
	script/bench

lock: ## Compile requirements/*.txt from pyproject.toml
	script/lock

changelog: ## Show what the next release's notes would say
	.venv/bin/towncrier build --draft --version next

wheel: ## Build the wheel into dist/
	.venv/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist .

clean: ## Remove what builds and tests leave in the checkout; .venv stays
	rm -rf .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
