# Thin wrappers around the `loader` command. A failing command shows its own exit code in make's last line
# ("Error 3"); make itself then ends with 2.
PYTHON ?= python3
override BIN := .venv/bin
override LOADER := $(BIN)/loader
override STAMP := .venv/.stamp
# Dagster's own environment: nothing of it is in the loader's.
override DAGSTER := .venv-dagster/.stamp
# Each worker has a PostgreSQL of its own, or databases of its own in the given one.
WORKERS ?= 2
override PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# What each target takes. All take FREE, which may also stand in the shell; of the others only make's own command line
# counts: what a shell or MAKEFLAGS still holds carries out, widens and names nothing.
FREE := PYTHON JSON K ARGS WORKERS MINUTES SEED PORT
takes_ingest := PARTITION MANIFEST INPUT BATCH LIMIT KIND LOCK_TIMEOUT
takes_dry-run := $(filter-out LOCK_TIMEOUT,$(takes_ingest))
takes_manifest := FROM OUT ORDER BATCH KIND CAPTURED_AT METADATA
takes_status := PARTITION KIND ALL
takes_diagnose := PARTITION KIND
takes_completeness := PARTITION KIND
takes_retry := RUN MODE LOCK_TIMEOUT
takes_rerun := $(takes_retry)
takes_replay := RUN BATCH REJECTED_ONLY MODE LOCK_TIMEOUT
takes_backfill := PARTITION FROM TO MANIFEST KIND KEEP_GOING MODE LOCK_TIMEOUT
takes_restore := PARTITION FROM TO ALL KIND RELEASE AS_OF REASON MODE LOCK_TIMEOUT
takes_expire := OLDER_THAN KEEP REASON MODE LOCK_TIMEOUT
takes_plan := MODE $(filter-out MODE LOCK_TIMEOUT,$(takes_$(filter retry rerun replay backfill restore expire,$(value MODE))))
takes_apply := PLAN LOCK_TIMEOUT
takes_ready := PARTITION KIND
takes_hold := PARTITION KIND REASON
takes_release := PARTITION KIND OVERRIDE ACCEPT_DRIFT ACCEPT_REJECTS REASON LOCK_TIMEOUT
takes_erase := PERSON CUSTOMER REASON PLAN MODE LOCK_TIMEOUT
takes_state := KIND
takes_verify := RUN EVIDENCE
takes_alert := ONCE
takes_history := AFTER LIMIT
takes_diff := A B PARTITION FROM TO KIND HTML
takes_changes := AFTER LIMIT KIND ROWS
takes_trace := KEY LINE EVENT KIND QUICK BYTES HTML
takes_build := SELECT PARTITION KIND FULL_REFRESH LOCK_TIMEOUT
takes_env := ROLE
# ARGS are words of psql's own here.
takes_psql := ROLE ARGS
takes_down := FORCE
takes_clean := YES FORCE
# Each becomes the option of its name: AS_OF=x is --as-of 'x'. Of these it has no value,
FLAGS := ALL EVIDENCE FULL_REFRESH KEEP_GOING REJECTED_ONLY OVERRIDE ACCEPT_DRIFT ACCEPT_REJECTS FORCE YES QUICK BYTES ROWS ONCE JSON
# and of these the value stands alone.
BARE_retry := RUN
BARE_plan = MODE $(BARE_$(filter retry,$(MODE)))
BARE_apply := PLAN
BARE_diff := A B
# Alone, and last: a key may begin with a dash.
LAST_trace := KEY
GIVEN := $(sort $(foreach list,$(filter takes_%,$(.VARIABLES)),$($(list))))
taken := $(foreach goal,$(MAKECMDGOALS),$(takes_$(goal)))

# The names of the variables on make's command line itself, where the system shows it.
on_line := $(if $(MAKEOVERRIDES),$(shell { tr '\n\0' ' \n' </proc/$$PPID/cmdline || ps -ww -o args= -p $$PPID | tr ' ' '\n'; } \
	2>/dev/null | sed -n 's/^\([^-=:?+!][^=:?+!]*\)[:?+!]*=.*/\1/p'))
refuse = $(error $(1); nothing was started. Next: $(2))
nearest = $(shell $(PYTHON) -c 'import difflib, sys; print(*difflib.get_close_matches(sys.argv[1].upper(), sys.argv[2:], 1, 0.75))' \
	'$(subst ','\'',$(1))' $(FREE) $(taken) 2>/dev/null)
leave = leave $(1) out; make alone lists what each target takes
meant = $(if $(2),make $(firstword $(MAKECMDGOALS)) $(2)=…,$(call leave,$(1)))
# Where a variable stands that is not on the line, by its origin.
place_environment := the environment
place_command := MAKEFLAGS
place_file := a file of MAKEFILES
unset_command := MAKEFLAGS GNUMAKEFLAGS
unset_file := MAKEFILES
# Set here, so that its origin tells of -e.
PATH := $(value PATH)
ifeq ($(origin PATH),environment override)
$(call refuse,make -e: the environment would take the place of what the Makefile says,make without -e and unset MAKEFLAGS)
endif
$(foreach name,$(sort $(on_line)),$(if $(word 2,$(filter $(name),$(on_line))),\
	$(call refuse,$(name) is given twice and one of them is meant,give $(name) once)))
$(foreach name,$(filter-out $(FREE) $(GIVEN),$(on_line)),\
	$(call refuse,$(name): got a variable that no target takes,$(call meant,$(name),$(call nearest,$(name)))))
$(foreach name,$(filter-out $(FREE) $(taken),$(on_line)),\
	$(call refuse,$(name) is not for make $(MAKECMDGOALS),$(call leave,$(name))))
$(foreach name,$(filter-out $(on_line),$(taken)),$(if $(value $(name)),$(foreach from,$(firstword $(origin $(name))),\
	$(call refuse,$(name) stands in $(place_$(from)) and only make's own command line counts,unset $(or $(unset_$(from)),$(name))))))

# What an operator gives, or pastes, is text: make expands nothing in it, and the shell gets it as one word.
$(foreach name,K $(GIVEN),$(if $(value $(name)),$(eval override $(name) := $$(value $(name)))))
quoted = '$(subst ','\'',$($(1)))'
# make has no function for it, and a shell would start for each variable.
lower = $(subst A,a,$(subst B,b,$(subst C,c,$(subst D,d,$(subst E,e,$(subst F,f,$(subst G,g,$(subst H,h,$(subst I,i,$(subst \
	J,j,$(subst K,k,$(subst L,l,$(subst M,m,$(subst N,n,$(subst O,o,$(subst P,p,$(subst Q,q,$(subst R,r,$(subst S,s,$(subst \
	T,t,$(subst U,u,$(subst V,v,$(subst W,w,$(subst X,x,$(subst Y,y,$(subst Z,z,$(subst _,-,$(1))))))))))))))))))))))))))))
# Nothing is passed on of a variable that is not set.
passed = $(if $(strip $($(1))),$(if $(filter $(BARE_$@),$(1)),$(quoted),--$(lower)$(if $(filter $(FLAGS),$(1)),, $(quoted))))
last = $(if $(strip $($(1))), $(if $(filter -%,$(firstword $($(1)))),-- )$(quoted))
arguments = $(foreach name,$(filter-out $(LAST_$@),$(takes_$@)) JSON,$(call passed,$(name)))$(foreach name,$(LAST_$@),$(call last,$(name)))
selected = $(if $(K),-k $(call quoted,K))
need = $(if $(strip $($(1))),,$(error $(1) is missing, nothing was started. Example: $(2)))

# Scripts of an environment name the place where it was made.
ifneq ($(filter-out help lock,$(MAKECMDGOALS)),)
ifneq ($(shell test ! -e $(STAMP) || head -n 3 $(LOADER) 2>/dev/null | grep -qF "$$(pwd -P)/.venv/bin/" || echo moved),)
$(call refuse,.venv was made for another place: this checkout was moved or copied,rm -rf .venv && make $(MAKECMDGOALS))
endif
endif

# Missing arguments are found before anything is installed.
ifneq ($(filter manifest,$(MAKECMDGOALS)),)
$(call need,FROM,make manifest FROM=exports OUT=exports.json)
$(call need,OUT,make manifest FROM=exports OUT=exports.json)
endif
ifneq ($(filter plan,$(MAKECMDGOALS)),)
$(call need,MODE,make plan MODE=backfill PARTITION=2026-04-17)
endif
ifneq ($(filter apply,$(MAKECMDGOALS)),)
$(call need,PLAN,make apply PLAN=reports/backfill/backfill_plan_2026-04-17.json)
endif
ifneq ($(filter erase,$(MAKECMDGOALS)),)
$(if $(strip $(CUSTOMER)),,$(call need,PERSON,make erase PERSON=<id> REASON='request 4711'))
endif
ifneq ($(filter ready hold release,$(MAKECMDGOALS)),)
$(call need,PARTITION,make $(firstword $(MAKECMDGOALS)) PARTITION=2026-04-17$(if $(filter hold,$(MAKECMDGOALS)), REASON='under review'))
endif
ifneq ($(filter hold,$(MAKECMDGOALS)),)
$(call need,REASON,make hold PARTITION=2026-04-17 REASON='under review')
endif
ifneq ($(filter verify,$(MAKECMDGOALS)),)
$(if $(strip $(EVIDENCE)),,$(call need,RUN,make verify RUN=<a run_id from make status>))
endif
ifneq ($(if $(filter diff,$(MAKECMDGOALS)),$(B)),)
$(call need,A,make diff A=1 B=2)
endif
ifneq ($(filter trace,$(MAKECMDGOALS)),)
$(if $(strip $(LINE)$(EVENT)),,$(call need,KEY,make trace KEY=TKT-20260417-000001))
endif
ifneq ($(if $(filter ingest dry-run,$(MAKECMDGOALS)),$(INPUT)),)
$(call need,BATCH,make ingest INPUT=f.jsonl BATCH=batch-20260417-001)
endif

.DEFAULT_GOAL := help
# What is not said below of one of these: it is the loader's command of the same name.
COMMANDS := ingest dry-run manifest status diagnose plan apply retry rerun replay backfill restore expire ready hold release \
	erase diff changes trace verify history alert state drill completeness site smoke build env up down clean
.PHONY: $(COMMANDS) help docs test test-media test-site test-dagster test-long dagster soak fuzz bench lint lock psql
$(COMMANDS): $(STAMP)
	@$(LOADER) $@ $(arguments)

help: ## This list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {n = split($$1, t, " "); m = split($$2, w, " "); for (i = 1; i <= n; i++) { \
		line = sprintf("make %-12s", t[i]); for (k = 1; k <= m; k++) { if (length(line w[k]) > 79) {print line; \
		line = sprintf("%17s", "")} line = line " " w[k]} print line}}' $(firstword $(MAKEFILE_LIST))

# The environment, from the locked list only; everything is said on standard error, so that `make -s env` is clean.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)' >&2
	@echo 'making .venv from requirements.lock: about a minute' >&2 && umask go-w && $(PYTHON) -m venv .venv >&2 && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@umask go-w && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2 && touch $(STAMP)

ingest: ## A day, from file to proof: PARTITION=2026-04-17 [MANIFEST=a.json,b.json] or INPUT=f.jsonl BATCH=batch-20260417-001 [LIMIT=20 KIND=]
dry-run: ## Judge files and lines, write a report, need no database [PARTITION= MANIFEST= INPUT= BATCH= LIMIT= KIND=]
manifest: ## Write the manifest of a folder of exports: FROM=exports OUT=data/seed_manifests/exports.json [ORDER=mtime|name|FILE] [BATCH= KIND= CAPTURED_AT= METADATA=said.json]
status: ## What readers may rely on, what needs a person, the next command [PARTITION=2026-04-17] [KIND=] [ALL=1]
diagnose: ## The triage, step by step, to one recommended command [PARTITION=2026-04-17] [KIND=]
plan: ## Plan a recovery verb: MODE=backfill PARTITION=2026-04-17, MODE=retry RUN=…, MODE=replay BATCH=… (docs/recovery_strategy.md)
apply: ## Carry out a reviewed plan: PLAN=reports/backfill/backfill_plan_2026-04-17.json [LOCK_TIMEOUT=60]
retry: ## The same run as its next attempt, from what it recorded [RUN=] [MODE=execute, else it only plans]
rerun: ## The same job as a new run, its sources read again [RUN=] [MODE=execute]
replay: ## A past run or batch from the raw zone, under today's rules [RUN= BATCH= REJECTED_ONLY=1] [MODE=execute]
backfill: ## A window of days; the cursor does not move [PARTITION= FROM= TO= MANIFEST= KIND=] [MODE=execute]
restore: ## An earlier released state of a day: REASON='why' [PARTITION= FROM= TO= ALL=1 KIND= RELEASE= AS_OF=] [MODE=execute]
expire: ## Remove versions that readers have not seen for long: OLDER_THAN=30 REASON='why' [KEEP=3] [MODE=execute]
ready: ## Exit 0 when a partition is released and unchanged since: PARTITION=2026-04-17 [KIND=]
hold: ## Keep a partition as readers see it, whatever runs: PARTITION=2026-04-17 REASON='under review' [KIND=]
release: ## Prove Silver and let readers see a partition of it; ends its hold [KIND= OVERRIDE=1 ACCEPT_DRIFT=1 ACCEPT_REJECTS=1 REASON='why']
erase: ## Take a person out of everything that is kept: PERSON=… REASON=… plans, PERSON=… PLAN=… applies (docs/privacy.md)
diff: ## What readers see beside what waits, or two releases: what comes, goes, changes, column by column [A=1 B=2] [PARTITION= FROM= TO= KIND= HTML=page.html]
changes: ## What changed for readers, record by record, for who follows it: AFTER=<last number read> [LIMIT=20 KIND= ROWS=1 with JSON=1]
trace: ## Where a record came from, what became of a line, each link recomputed: KEY=… or LINE=FILE:N or EVENT=… [KIND= QUICK=1 BYTES=1 HTML=page.html]
verify: ## Read the raw zone again and compare Bronze line by line: RUN=<run_id>; EVIDENCE=1: is all evidence what it was?
history: ## What happened, event by event: runs, releases, holds, restores, expiries, erasures [AFTER=N LIMIT=]
alert: ## Who is told that a day needs somebody, or is settled, and does not know it yet [ONCE=1: tell them]
state: ## Checkpoint, cursor and watermark, and their history [KIND=]
drill: ## Five incidents in a scratch database, each recovered with the right verb
completeness: ## Is the day complete? reports/completeness/<partition | all>.md [PARTITION=2026-04-17] [KIND=]
site: ## Pages that need no server, kept up to date by each run from then on: reports/site/index.html
smoke: ## Is the set-up sound? Packages, folders, contract, manifests, warehouse, guards, dbt: reports/smoke
build: ## dbt build in the same warehouse [SELECT=ticket_fact+ or KIND=] [PARTITION=2026-04-17 or FULL_REFRESH=1: Silver anew from Bronze]
env: ## A role's connection for any client: eval "$(make -s env)" [ROLE=transform, loader, reader or auditor]
# Dagster's own list, from which it starts its web server, its daemon and the code that calls the loader.
$(DAGSTER): infra/dagster/requirements.lock
	@echo 'making .venv-dagster from its list: about a minute' >&2 && umask go-w && $(PYTHON) -m venv .venv-dagster >&2
	@.venv-dagster/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/dagster/requirements.lock >&2 && touch $(DAGSTER)

dagster: $(STAMP) $(DAGSTER) ## Days as Dagster's partitions, in its web UI on this machine: http://127.0.0.1:3000 [PORT=3001]
	@umask 077 && mkdir -p .local/dagster && cp infra/dagster/dagster.yaml .local/dagster/
	@DAGSTER_HOME=$(CURDIR)/.local/dagster .venv-dagster/bin/dagster dev -h 127.0.0.1 -p $(or $(PORT),3000) -m omni_dagster.definitions -d infra/dagster

docs: $(STAMP) ## dbt documentation as one page: reports/dbt_docs/index.html
	@$(LOADER) docs

test: $(STAMP) ## All tests but those of test-media, or the ones that are named, two at a time [K=expression] [ARGS="tests/unit -x"] [WORKERS=8]
	$(PYTEST) $(if $(strip $(K) $(ARGS)),$(selected) $(ARGS),-m "not media and not site and not dagster")

test-media: $(STAMP) ## Tests of files that are records: their facts, fates, damages and histories [K=expression] [ARGS=-x] [WORKERS=8]
	$(PYTEST) -m media $(selected) $(ARGS)

# A browser is no package of the list: Debian's chromium, or the one that BROWSER names.
test-site: $(STAMP) ## The site in a browser: links, keyboard, dark, accessibility, pictures (needs chromium) [K=expression] [ARGS=-x]
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r tests/site/requirements.lock
	$(BIN)/python -m pytest -m site $(selected) $(ARGS) tests/site

test-dagster: $(STAMP) $(DAGSTER) ## Dagster's real daemon over a warehouse: backfills, and what is done without it [K=expression] [ARGS=-x]
	$(BIN)/python -m pytest -m dagster $(selected) $(ARGS) tests/dagster

test-long: $(STAMP) ## The same with every sabotage and more histories; about an hour [K=expression]
	HISTORIES=60 $(PYTEST) --long $(selected) $(ARGS)

soak: $(STAMP) ## Commands killed at random, for long: MINUTES=60 [SEED=<of a run that failed>]
	SOAK_MINUTES=$(or $(MINUTES),60) $(if $(SEED),SOAK_SEED=$(SEED)) $(BIN)/python -m pytest --long -q -s -k killed_at_random tests/crash

fuzz: $(STAMP) ## Odd exports through gate, reader and contract against a recount, for long: MINUTES=60 [SEED=<of a run that failed>]
	FUZZ_MINUTES=$(or $(MINUTES),60) $(if $(SEED),FUZZ_SEED=$(SEED)) $(BIN)/python -m pytest -q -s -p no:cacheprovider tests/property/test_fuzz_exports.py

bench: $(STAMP) ## The whole chain against a hand-written floor and dlt's own route: reports/bench [ARGS="--lines 100000 --rounds 1"]
	@$(BIN)/python -m bench $(ARGS)

lint: $(STAMP) ## ruff, mypy --strict, sqlfluff (needs the warehouse for dbt's templates)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	@connection=$$($(LOADER) env) && eval "$$connection" && $(BIN)/sqlfluff lint dbt_project/models dbt_project/tests

locked = --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header
lock: ## Write requirements.lock anew from pyproject.toml, and the lists of test-site and of Dagster
	UV_PYTHON_DOWNLOADS=never uv pip compile $(locked) --extra dev --extra media pyproject.toml -o requirements.lock
	UV_PYTHON_DOWNLOADS=never uv pip compile $(locked) infra/dagster/requirements.in -o infra/dagster/requirements.lock
	UV_PYTHON_DOWNLOADS=never uv pip compile $(locked) --group site-test -c requirements.lock -o tests/site/requirements.lock

up: ## Start the embedded PostgreSQL, or check the one that PGHOST names
down: ## Stop the embedded PostgreSQL; its data stays; refused while a command writes [FORCE=1]
psql: $(STAMP) ## psql on the warehouse [ARGS="-c 'select 1'"] [ROLE=transform]
	@$(LOADER) psql $(if $(ROLE),--role $(call quoted,ROLE)) $(ARGS)

clean: ## Remove .local (embedded database, raw zone) and reports; asks first [YES=1 FORCE=1]
