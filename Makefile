# Each target makes the environment that it needs. `make help` lists them.
PYTHON ?= python3
# The first one also runs the tests that are the same on every backend, which
# PyTorch does most quickly: it compiles nothing.
BACKENDS ?= torch tensorflow jax
FUZZ_SECONDS ?= 60
DEMO = .venv-demo
TEST = .venv-test

.PHONY: help demo test lint fuzz clean

help:
	@echo "make demo   install into $(DEMO) and train on the digits, offline"
	@echo "make test   install into $(TEST) and run the tests on $(BACKENDS)"
	@echo "make lint   check style with ruff and types with mypy, in $(TEST)"
	@echo "make fuzz   fuzz each parser of files for $(FUZZ_SECONDS) seconds"
	@echo "make clean  remove both environments"

$(DEMO)/ready: pyproject.toml $(shell find keras_fpt -type f -name '*.py')
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/pip install --quiet --disable-pip-version-check .
	touch $@

$(TEST)/ready: pyproject.toml requirements-test.txt
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/pip install --quiet --disable-pip-version-check \
		-r requirements-test.txt
	$(TEST)/bin/pip install --quiet --disable-pip-version-check \
		--no-deps --editable .
	touch $@

demo: $(DEMO)/ready
	$(DEMO)/bin/keras-fpt train digits

test: $(TEST)/ready
	@set -e; chosen="not slow"; for backend in $(BACKENDS); do \
		echo "== $$backend"; \
		KERAS_BACKEND=$$backend $(TEST)/bin/python -m pytest \
			-q -n auto --dist worksteal -m "$$chosen"; \
		chosen="not slow and not backend_free"; \
	done

lint: $(TEST)/ready
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy

# Atheris has no wheels for every Python, so it is no dependency of the tests.
fuzz: $(TEST)/ready
	$(TEST)/bin/pip install --quiet --disable-pip-version-check atheris
	@set -e; cd tests; for parser in $$(../$(TEST)/bin/python -c \
		"from fuzzing.parsers import PARSERS; print(*PARSERS)"); do \
		echo "== $$parser"; \
		../$(TEST)/bin/python -m fuzzing.coverage_guided $$parser \
			-max_total_time=$(FUZZ_SECONDS) -verbosity=0; \
	done

clean:
	rm -rf $(DEMO) $(TEST)
