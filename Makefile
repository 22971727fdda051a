# The commands of this project; `make` alone lists them. IMGSVC_* and PYTHON are honoured.
.DEFAULT_GOAL := help
.PHONY: help serve test check format bench chaos docs image lock clean

locks := pyproject.toml requirements.lock requirements-build.lock scripts/install

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

serve: .venv/.serve  ## start the service on http://127.0.0.1:8000
	@exec .venv/bin/python -m imgsvc serve

test: .venv/.dev  ## run all tests
	.venv/bin/python -m pytest -n 2 --dist worksteal

check: .venv/.dev  ## lint, types, layers, generated pages
	scripts/check

format: .venv/.dev  ## format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix-only --quiet .

bench: .venv/.dev  ## measure the hot paths
	.venv/bin/python -m pytest benchmarks --benchmark-only --benchmark-columns=median,iqr,ops,rounds

chaos: .venv/.dev  ## treat a server badly for ten minutes, and count what is lost
	.venv/bin/python -m tests.acceptance.chaos $(CHAOS)

docs: .venv/.dev  ## write the generated pages of docs/
	.venv/bin/python scripts/docs

image: .venv/.dev  ## build the container image and try it, without a daemon (as root)
	scripts/image

lock:  ## pin the dependencies anew (needs uv)
	scripts/lock

clean:  ## remove what these commands made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks dist

.venv/.serve: $(locks)
	@scripts/install serve
	@touch $@

.venv/.dev: $(locks) requirements-dev.lock
	@scripts/install dev
	@touch $@ .venv/.serve
