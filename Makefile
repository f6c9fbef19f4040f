# The front door. Every target can be called again and goes on where it stopped.
include versions.mk

SHELL       := bash
PYTHON      ?= python3
VENV        := .build/venv
AIRSPARK    := PYTHONPATH=scripts $(VENV)/bin/python -m airspark
NODES       ?= 1
ROWS        ?= 100000
SEED        ?= 7
PARALLEL    ?= 4
.DEFAULT_GOAL := help
.NOTPARALLEL:
export CLUSTER

##@ Use
demo: $(VENV)/.ready ## Everything it takes, then run the daily ETL and show its result (DATE=, ROWS=, NODES=, VALUES=)
	@$(AIRSPARK) demo --date "$(DATE)" --rows "$(ROWS)" --seed "$(SEED)" --nodes "$(NODES)" --values "$(VALUES)"

backfill: $(VENV)/.ready ## Run a DAG for each day of a range (DAG=etl_daily, FROM=2026-01-01, TO=2026-01-30, PARALLEL=4, RERUN=1; STOP=1 ends it)
	@$(AIRSPARK) backfill --dag "$(DAG)" --from "$(FROM)" --to "$(TO)" --parallel "$(PARALLEL)" $(if $(RERUN),--rerun) $(if $(STOP),--stop)

check: $(VENV)/.ready ## What is there, what is missing, what will be done about it
	@$(AIRSPARK) check

up: $(VENV)/.ready ## Engine, tools, images, cluster, platform (NODES=2 for a worker node, VALUES=my-values.yaml)
	@$(AIRSPARK) up --nodes "$(NODES)" --values "$(VALUES)"

ui: $(VENV)/.ready ## Open the user interfaces of Airflow and Spark
	@$(AIRSPARK) ui

status: $(VENV)/.ready ## One table: component, ready, restarts, age, address, last warning
	@$(AIRSPARK) status

logs: $(VENV)/.ready ## Logs of a component (C=scheduler) or a task (T=etl_daily.transform), F=1 follows
	@$(AIRSPARK) logs --component "$(C)" --task "$(T)" $(if $(F),--follow)

submit: $(VENV)/.ready ## Apply a SparkApplication, follow its states and its driver's log (F=manifests/examples/python-pi.yaml)
	@$(AIRSPARK) submit --file "$(F)"

sources: $(VENV)/.ready ## A warehouse, a database, an HTTP API and a search index for the pipelines, with connections to them
	@$(AIRSPARK) sources

data: $(VENV)/.ready ## Write input of every pipeline (FROM=2026-01-01, TO=2026-01-03, ROWS=10000 a day and kind)
	@$(AIRSPARK) data --from "$(FROM)" --to "$(TO)" $(if $(filter-out file,$(origin ROWS)),--rows "$(ROWS)") --seed "$(SEED)"

import-values: $(VENV)/.ready ## Turn a values file of the official Airflow chart into one of Airspark (FILE=official.yaml, OUT=my-values.yaml, FORCE=1)
	@$(AIRSPARK) import-values "$(FILE)" --out "$(or $(OUT),my-values.yaml)" $(if $(FORCE),--force)

doctor: $(VENV)/.ready ## Describe, events, logs and values in one archive, secrets removed
	@$(AIRSPARK) doctor

backup: $(VENV)/.ready ## Dump the metadata database (FILE=; SECRETS=1 saves the key that opens its connections too)
	@$(AIRSPARK) backup --file "$(FILE)" $(if $(SECRETS),--secrets)

restore: $(VENV)/.ready ## Put a dump in the place of the metadata database (FILE=)
	@$(AIRSPARK) restore --file "$(FILE)"

down: $(VENV)/.ready ## Remove the cluster (PURGE=1: images, caches and our own engine too)
	@$(AIRSPARK) down $(if $(PURGE),--purge)

##@ Develop
dev: $(VENV)/.ready ## As `make up`, with dags/ and spark-apps/ read from this checkout: a saved file counts within 10 s, no build
	@$(AIRSPARK) dev --nodes "$(NODES)" --values "$(VALUES)"

test: $(VENV)/.ready ## Everything it takes, then every test, the end-to-end ones on an ephemeral kind cluster (KEEP=1 keeps it)
	@scripts/test.sh all

test-fast: $(VENV)/.ready ## The tests that need no cluster
	@scripts/test.sh fast

test-long: $(VENV)/.ready ## The tests that take longer than `make test` may
	@scripts/test.sh long

bench-tasks: $(VENV)/.ready ## Queued to running, beside the usual set-up and a bare pod (REPEAT=5, LEVERS=1); needs `make up`
	@PYTHONPATH=scripts:tests/bench $(VENV)/bin/python tests/bench/bench_tasks.py $(REPEAT) $(if $(LEVERS),--levers)

bench-spark: $(VENV)/.ready ## A small Spark job, CSV to Parquet on the cluster, the image's size (REPEAT=5, LEVERS=1, PARTS=small,convert,size, SIZE=1000 MB)
	@PYTHONPATH=scripts:tests/bench $(VENV)/bin/python tests/bench/bench_spark.py $(REPEAT) $(if $(LEVERS),--levers) \
	  $(if $(PARTS),--parts "$(PARTS)") $(if $(SIZE),--megabytes "$(SIZE)")

bench-operator: $(VENV)/.ready ## What a submission costs, beside spark-submit's cluster mode (REPEAT=5, N=200, PARTS=burst,run,memory); needs `make up`
	@PYTHONPATH=scripts:tests/bench:operator $(VENV)/bin/python tests/bench/bench_operator.py $(REPEAT) $(if $(N),--count "$(N)") \
	  $(if $(PARTS),--parts "$(PARTS)")

bench-etl: $(VENV)/.ready ## The daily ETL at 1 GB and 4 GB, beside a plain script, local[2], DuckDB and pandas (REPEAT=5, SIZES=1000,4000, LEVERS=1); needs `make up`
	@PYTHONPATH=scripts:tests/bench $(VENV)/bin/python tests/bench/bench_etl.py $(REPEAT) $(if $(SIZES),--sizes "$(SIZES)") $(if $(LEVERS),--levers)

lint: $(VENV)/.ready ## ruff, mypy, shellcheck, kube-score, checkov
	@scripts/test.sh lint

generate: $(VENV)/.ready ## Write what is generated: chart schemas and versions
	@PYTHONPATH=scripts $(VENV)/bin/python -m airspark.charts.generate

lock: $(VENV)/.ready ## Resolve every lock file, all or none: Python packages and jars
	@scripts/lock.sh

help: ## This text
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The scripts' own environment, from hashes; anew when the lock changes.
$(VENV)/.ready: requirements/dev.txt
	@scripts/venv.sh "$(PYTHON)" "$(VENV)"

.PHONY: demo backfill check up dev ui status logs submit sources data doctor backup restore down test test-fast test-long bench-tasks bench-spark bench-operator bench-etl lint generate lock help
