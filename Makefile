# `make study` runs the default study from a bare clone. Everything is installed into .venv, nothing elsewhere.

# The first of these that is Python 3.11 to 3.13 makes .venv.
PYTHON ?= python3 python3.13 python3.12 python3.11
# The first of these that is Python 3.7 makes .tensorflow-1.15.
PYTHON_3_7 ?= python3.7 $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.7.*/bin/python)
UV ?= uv

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Packages are compiled when first imported: compiling all of TensorFlow at once would double the time of the installation.
unexport PYTHONDONTWRITEBYTECODE
# What a user has set for other programs; recipes set a path of their own.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP
# Snakemake does not start without a home folder, as in a container whose user has no name.
export HOME := $(or $(HOME),$(CURDIR)/.snakemake)
# Of a cluster, say; `make study` runs on this machine.
unexport SNAKEMAKE_PROFILE

supported_python = import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
python_3_7 = import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 7))
find_python = for python in $(1); do $$python -I -c '$(2)' 2>/dev/null && echo $$python && break; done
install = $(1)/bin/python -I envs/install.py $(2)
digest = $(shell { pwd; cat $(1); } | cksum | cut -d ' ' -f 1)
# Stamps are named after what they stand for, so a changed lock file or a moved clone means a new environment.
environment := .venv/study-$(call digest,envs/requirements.txt)
cluster_environment := .venv/slurm-$(call digest,envs/requirements.txt envs/requirements-slurm.txt)
test_environment := .venv/test-$(call digest,envs/requirements.txt envs/requirements-test.txt)
old_runtime := .tensorflow-1.15/$(call digest,envs/requirements-tensorflow-1.15.txt)

.PHONY: study cluster test test-all coverage lint audit lock tensorflow-1.15

study: $(environment)
	@PYTHONPATH=workflow python -m snakemake --cores all $(if $(shell test -t 2 && echo terminal),--logger progress)
	@echo "The report: results/default/report.html"

# What `snakemake --profile profiles/slurm` needs: docs/cluster.md.
cluster: $(cluster_environment)

pytest = pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

# All but the tests that are marked `long`.
test: $(test_environment)
	@$(pytest) -m "not long"

# All tests.
test-all: $(test_environment)
	@$(pytest)

# All tests, and how much of what matters most they reach. Counting takes half as long again.
coverage: $(test_environment)
	@$(pytest) --cov --cov-report term:skip-covered

lint: $(test_environment)
	@ruff check benchmarks docs envs workflow tests
	@ruff format --check benchmarks docs envs workflow tests
	@snakefmt --check Snakefile rules
	@mypy docs/reference.py workflow/tocompress workflow/snakemake_logger_plugin_progress
	@PYTHONPATH=workflow lint-imports --no-cache > .venv/imports || { cat .venv/imports; exit 1; }
	@snakemake --lint
	@python docs/prose.py

# Asks the index of packages which of the pinned releases have known vulnerabilities.
audit: $(test_environment)
	@pip-audit --disable-pip --require-hashes --requirement envs/requirements.txt

# What an older board runs; tests use it where TENSORFLOW_1_15=.tensorflow-1.15/bin/python is in the environment.
tensorflow-1.15: $(old_runtime)

.PHONY: docs schema invalidation appendix

docs: $(test_environment)
	@sphinx-build --quiet --fresh-env --fail-on-warning -c docs . docs/_build
	@echo "The documentation: docs/_build/docs/index.html"

# What editors complete and check the config by.
schema: $(environment)
	@PYTHONPATH=workflow python docs/reference.py config/schema.json

# docs/invalidation.md: what a change of each key and file makes due.
invalidation: $(test_environment)
	@PYTHONPATH=workflow:tests/dag python tests/dag/invalidation.py

# docs/artifact-appendix.md: its numbers, counted from the sources.
appendix: $(test_environment)
	@PYTHONPATH=workflow:tests/dag python docs/appendix.py

# Keeps every pin that still holds; delete envs/requirements*.txt first for the newest releases.
lock: options = --quiet --generate-hashes --no-strip-extras --no-emit-index-url --custom-compile-command "make lock"
lock: compile = $(UV) pip compile pyproject.toml $(options) --universal --python-version 3.11
# Only what comes on top of the study's environment, which has all that these require.
lock: compile_slurm = printf '%s\n' 'snakemake-executor-plugin-slurm==2.8.*' snakemake-executor-plugin-slurm-jobstep | \
	$(UV) pip compile - $(options) --universal --python-version 3.11 --no-deps
# TensorFlow 1.15 does not say so, but protobuf 4 refuses its messages.
lock: compile_old_runtime = printf '%s\n' 'tensorflow==1.15.5' 'protobuf<4' | \
	$(UV) pip compile - $(options) --python-version 3.7 --python-platform x86_64-manylinux2014
lock:
	@$(compile) --extra test --extra docs --output-file envs/requirements-test.txt
	@$(compile) --constraint envs/requirements-test.txt --output-file envs/requirements.txt
	@$(compile_slurm) --output-file envs/requirements-slurm.txt
	@$(compile_old_runtime) --output-file envs/requirements-tensorflow-1.15.txt
	@{ echo "# Made from requirements.txt by 'make lock'; for 'snakemake --sdm conda'."; \
	   echo "channels: [conda-forge]"; \
	   echo "dependencies:"; \
	   echo "  - python=3.12"; \
	   echo "  - pip"; \
	   echo "  - pip:"; \
	   sed -nE ':next /\\$$/ { N; s/ *\\\n */ /; b next }; s/^[a-z0-9].*/      - "&"/p' envs/requirements.txt; } > envs/environment.yaml

$(environment):
	@python=$$($(call find_python,$(PYTHON),$(supported_python))); \
	if [ -z "$$python" ]; then \
	    echo "Python 3.11, 3.12 or 3.13 with venv is needed, found none as: $(PYTHON). Name one: make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	fi; \
	$$python -I workflow/tocompress/surroundings.py || exit 1; \
	echo "Installing the study's environment into .venv; the first time this takes some minutes."; \
	$$python -I -m venv --clear .venv
	@$(call install,.venv,envs/requirements.txt)
	@touch $@

$(test_environment): $(environment)
	@echo "Installing the test tools into .venv."
	@$(call install,.venv,envs/requirements-test.txt)
	@touch $@

$(cluster_environment): $(environment)
	@echo "Installing Snakemake's plugin for Slurm into .venv."
	@$(call install,.venv,envs/requirements-slurm.txt)
	@touch $@

$(old_runtime):
	@python=$$($(call find_python,$(PYTHON_3_7),$(python_3_7))); \
	if [ -z "$$python" ]; then \
	    echo "Python 3.7 with venv is needed, found none as: $(PYTHON_3_7). Name one: make tensorflow-1.15 PYTHON_3_7=/path/to/python3.7" >&2; \
	    exit 1; \
	fi; \
	echo "Installing TensorFlow 1.15 into .tensorflow-1.15."; \
	$$python -I -m venv --clear .tensorflow-1.15
	@$(call install,.tensorflow-1.15,envs/requirements-tensorflow-1.15.txt)
	@touch $@
