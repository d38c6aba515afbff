.DEFAULT_GOAL := help
READY := .venv/.ready
BIN := .venv/bin

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 22

$(READY): requirements.lock pyproject.toml deploy/setup.sh genospark/core/install.py conf/spark/local.conf conf/spark/log4j2.properties
	@deploy/setup.sh
	@touch $@

setup: $(READY)  ## build the environment in .venv (the others do so where needed)

demo: $(READY)  ## simulate a cohort and run every stage on it, into demo/
	@$(BIN)/genospark demo --warehouse demo

pack: $(READY)  ## archives that executors of a cluster unpack, into dist/
	@$(BIN)/python deploy/pack.py

demo-cluster: demo pack  ## every stage of the demo on a Spark cluster started here, into demo-cluster/, compared with demo/
	@trap 'deploy/standalone stop' EXIT; trap 'exit 130' INT TERM; \
	deploy/standalone start && $(BIN)/python benchmarks/cluster.py --local demo --cluster demo-cluster

cohort-1000g: $(READY)  ## the whole main job on real data (see conf/cohort-1000g.yaml)
	@GENOSPARK_KEY="$${GENOSPARK_KEY:-people of public data need no secret}" $(BIN)/genospark run --config conf/cohort-1000g.yaml

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 

test: lint  ## lint, and every test that is not slow
	$(BIN)/python -m pytest -m "not slow"

test-all: lint  ## lint, and every test
	$(BIN)/python -m pytest

bench-first-light: $(READY)  ## AUC on fresh simulated people, into benchmarks/results
	$(BIN)/python benchmarks/first_light.py

bench-expression: $(READY)  ## R2 on held-out simulated families, r on yeast strains, into benchmarks/results
	$(BIN)/python benchmarks/expression.py

bench-risk: $(READY)  ## AUC and calibration on fresh simulated people beside simple models and an oracle, into benchmarks/results
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/risk.py

bench-geuvadis: $(READY)  ## AUC on real genotypes and expression, diseases simulated on them, into benchmarks/results
	$(BIN)/python benchmarks/geuvadis.py

bench-insight: $(READY)  ## gene function and regulatory network where the truth is known, into benchmarks/results
	$(BIN)/python benchmarks/insight.py

bench-ingest: $(READY)  ## time, memory and disk of ingest beside plink2, bcftools, Hail and bio2zarr, into benchmarks/results
	$(BIN)/python benchmarks/ingest.py

bench-scale: $(READY)  ## what a genotype costs of 1,000 to 100,000 people, into benchmarks/results
	$(BIN)/python benchmarks/scale.py

bench-score: $(READY)  ## scoring beside plink2 and beside the bare network, into benchmarks/results (needs `make peers`)
	$(BIN)/python benchmarks/score.py

bench-million: $(READY)  ## features, an epoch and scores of 2,000 people with a million variants, into benchmarks/results
	$(BIN)/python benchmarks/million.py

bench-variants: $(READY)  ## the shipped caller beside bcftools, freebayes and GATK, into benchmarks/results
	$(BIN)/python benchmarks/variants.py

bench-reads: $(READY)  ## speed and memory from reads to calls, into benchmarks/results
	$(BIN)/python benchmarks/reads.py

shipped-variants: $(READY)  ## train the variant caller that ships with the package (needs `make peers`)
	$(BIN)/python benchmarks/shipped_variants.py

PEERS := bcftools samtools tabix plink2 plink1.9 freebayes bwa art-nextgen-simulation-tools
peers:  ## programs that benchmarks compare with (Debian packages; needs root)
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; \
	then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PEERS); \
	else echo "not root on Debian: install these with sudo apt-get or conda (bioconda), then go on: $(PEERS)" >&2; exit 1; fi

docs: $(READY)  ## docs/tables.md from the dictionary
	$(BIN)/python -m genospark.schema.document > docs/tables.md

lock:  ## requirements.lock from pyproject.toml
	.tools/bin/uv lock -q
	.tools/bin/uv export -q --frozen --all-groups --no-emit-project --no-header --no-annotate --format requirements-txt -o requirements.lock

.PHONY: help setup demo pack demo-cluster cohort-1000g lint test test-all bench-first-light bench-expression bench-risk bench-geuvadis bench-insight bench-ingest bench-scale bench-variants shipped-variants peers docs lock bench-reads bench-score bench-million
