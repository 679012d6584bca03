# make demo   build the environment and run the main job
# make test   build the environment, then every check and every test
# make test-slow   simulations of the statistics, such as the coverage of intervals (minutes)
# make check  lint, types and the import contract
# make fuzz   every fuzzer, which writes docs/robustness.md (about a quarter of an hour; FUZZ='--scale small' for less)
# make trials  the trials that a machine can run again, and docs/quality.md (TRIALS='--scale 1' for the full size)
# make release-check  build the distributions, and use each in a clean environment (several minutes)
# make bench  the engine against its peers (about half an hour; BENCH='--rounds 1 --units 4' for less)
# make bench-networks  the engine on ten networks of real structure (about a quarter of an hour; NETWORKS='--networks ladder' for less)
# make bench-circuits  verdicts and discoveries on networks whose circuits are known (hours; goes on where it was stopped;
#             CIRCUITS='--seeds 2' for less)
# make bench-alignment  the alignment report on worlds and networks in which everything is known (hours; goes on likewise)
# make generated  the schemas, the graphs of the shipped networks, and the parts of pages that are made from the registries of kinds
# make docs   the site of the documentation in build/site, with reports of `make gallery`
# make gpu-check  the tests that need a GPU, and the engine against hooks and nnsight on it (six minutes at most)
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
PACKAGE := $(VENV)/.package
STAMP := $(VENV)/.installed

.PHONY: demo test release-check trials test-slow check generated docs gallery fuzz bench bench-networks gpu-check bench-circuits bench-alignment format clean

# What a user needs; the tools of development are in $(STAMP).
$(PACKAGE): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(STAMP): $(PACKAGE) examples/neighbours/pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e examples/neighbours
	touch $@

demo: $(PACKAGE)
	$(BIN)/causalvae run specs/dsprites_scale.yaml

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One thread for each of the two processes: more only wait for one another.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

test-slow: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m simulation

trials: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.trials $(TRIALS)

release-check: $(STAMP)
	$(BIN)/python -m tests.release_check

generated: $(STAMP)
	$(BIN)/python docs/generated.py

docs: gallery
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/registry_tables.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Reports that are there are not made again.
gallery: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python docs/gallery.py

fuzz: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --out docs/robustness.md $(FUZZ)

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks $(BENCH)

bench-networks: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.real --full $(NETWORKS)

gpu-check: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks.gpu $(GPU)

bench-circuits: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.circuits --seeds 50 $(CIRCUITS)

bench-alignment: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.alignment --seeds 50

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) runs build *.egg-info examples/neighbours/*.egg-info
