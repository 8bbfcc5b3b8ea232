PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests run on every core. `pytest tests/x.py` runs a file in one process.
WORKERS ?= auto
# The tests start hundreds of processes; without its compiled files each would compile the package again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install quickstart readme evidence test lint check test-slow test-all gpu-check lock clean

install: $(VENV)/installed

$(VENV)/installed: requirements/lock.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements/lock.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# The main job on embedded data with the embedded encoder. A recorded decision of any kind is success.
quickstart: install
	$(BIN)/essay-scoring study configs/studies/quickstart.toml --exit-zero

# What the README shows: the quickstart's report as a picture, and the numbers quoted.
readme: install
	$(BIN)/python benchmarks/readme.py

# Every published artifact and the pages made of them; hours, and it goes on where it was stopped.
evidence: install
	$(BIN)/python -m benchmarks.evidence

test: install
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

test-all: check test-slow

# Whatever this machine can serve beyond the default run; what it cannot is skipped, saying so.
test-slow: install
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile -m "slow or corpus or browser or gpu or slurm"

# What this machine's GPU does with the project; without one, the reason.
gpu-check: install
	$(BIN)/python benchmarks/gpu_check.py --out gpu_check.json

lock:
	{ echo "# Every package of a full installation, pinned. Made by: make lock"; \
	  $(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//'; } > requirements/lock.txt

clean:
	rm -rf $(VENV) runs cache
