# `make study` runs the default study from a bare clone. Everything is installed into .venv, nothing elsewhere.

# The first of these that is Python 3.11 to 3.13 makes .venv.
PYTHON ?= python3 python3.13 python3.12 python3.11
UV ?= uv

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Packages are compiled when first imported: compiling all of TensorFlow at once would double the time of the installation.
unexport PYTHONDONTWRITEBYTECODE

supported_python = import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
find_python = for python in $(PYTHON); do $$python -c '$(supported_python)' 2>/dev/null && echo $$python && break; done
install = python -m pip install -qq --no-compile
digest = $(shell { pwd; cat $(1); } | cksum | cut -d ' ' -f 1)
# Stamps are named after what they stand for, so a changed lock file or a moved clone means a new environment.
environment := .venv/study-$(call digest,envs/requirements.txt)
test_environment := .venv/test-$(call digest,envs/requirements.txt envs/requirements-test.txt)

.PHONY: study test lint lock

study: $(environment)
	@snakemake --cores all $(if $(shell test -t 2 && echo terminal),--logger rich)
	@echo "The report: results/default/report.html"

test: $(test_environment)
	@pytest

lint: $(test_environment)
	@ruff check workflow tests
	@ruff format --check workflow tests
	@snakefmt --check Snakefile rules
	@mypy workflow/tocompress
	@snakemake --lint

# Keeps every pin that still holds; delete envs/requirements*.txt first for the newest releases.
lock: compile = $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"
lock:
	@$(compile) --extra test --output-file envs/requirements-test.txt
	@$(compile) --constraint envs/requirements-test.txt --output-file envs/requirements.txt
	@{ echo "# Made from requirements.txt by 'make lock'; for 'snakemake --sdm conda'."; \
	   echo "channels: [conda-forge]"; \
	   echo "dependencies:"; \
	   echo "  - python=3.12"; \
	   echo "  - pip"; \
	   echo "  - pip:"; \
	   sed -nE 's/^([a-z0-9._-]+==.*[^ ]) *\\$$/      - "\1"/p' envs/requirements.txt; } > envs/environment.yaml

$(environment):
	@python=$$($(find_python)); \
	if [ -z "$$python" ]; then \
	    echo "Python 3.11, 3.12 or 3.13 with venv is needed, found none as: $(PYTHON). Name one: make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	fi; \
	echo "Installing the study's environment into .venv; the first time this takes some minutes."; \
	$$python -m venv --clear .venv
	@$(install) --require-hashes -r envs/requirements.txt
	@touch $@

$(test_environment): $(environment)
	@echo "Installing the test tools into .venv."
	@$(install) --require-hashes -r envs/requirements-test.txt
	@touch $@
