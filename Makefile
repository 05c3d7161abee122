# make run | test | bench | eval | train DATA=FOLDER | lint | clean
# Each target makes .venv with what it needs; only Python 3.11, pip and make have to be there.

PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test bench eval train lint clean

run: $(VENV)/.run
	$(BIN)/lfqa serve --port $(PORT)

test: $(VENV)/.dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench

eval: $(VENV)/.eval
	$(BIN)/lfqa eval --out evaluation

train: $(VENV)/.train
	@test -n "$(DATA)" || { echo "usage: make train DATA=FOLDER (README: Training says what the folder holds)"; exit 2; }
	@test -f runs/prepared/held_out.json -a -f runs/prepared/grounded.jsonl || $(BIN)/lfqa train prepare "$(DATA)" --out runs/prepared
	$(BIN)/lfqa train retriever runs/prepared --out runs/retriever $(if $(wildcard runs/retriever/settings.json),--resume)
	$(BIN)/lfqa train generator runs/prepared --out runs/generator $(if $(wildcard runs/generator/settings.json),--resume)
	@echo "the new checkpoints are runs/retriever/model and runs/generator/model"

lint: $(VENV)/.dev
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

clean:
	rm -rf $(VENV)

$(VENV)/.run: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lfqa needs Python 3.11 or newer, this is %s" % sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/.train: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --editable '.[train]'
	touch $@

$(VENV)/.eval: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --editable '.[eval]'
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
