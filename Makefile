# Two commands are all a newcomer needs: `make demo` and `make test`. Each sets up what is missing first.

BIN := .venv/bin
SET_UP := .venv/set-up-done

.PHONY: help demo test test-long soak soak-cluster lint bench bench-history screenshots fuzz site sbom audit clean

help:
	@echo 'make demo [FOR=60]  listeners click, cohorts form, releases go out; ends by itself after FOR seconds'
	@echo 'make test           format, lint, types and all tests, on a Kafka and a Redis of their own'
	@echo 'make test-long      tests that take minutes, or are one more of a kind: half an hour'
	@echo 'make soak [FOR=3600]  clicks, releases and feedback while processes, servers and the network fail; compares what is left with what was sent'
	@echo 'make soak-cluster [FOR=3600]  the same on a Redis Cluster: primaries die, and slots move. FROM=COMMIT begins either with older code, and replaces it'
	@echo 'make lint           format, lint and types alone'
	@echo 'make bench          the benchmarks, one after the other'
	@echo 'make bench-history  history load on Spark beside replay (ROWS=4000000)'
	@echo 'make screenshots    pictures of every page over a demo, in build/screenshots'
	@echo 'make fuzz [FOR=60]  bytes made up by atheris, as files and as events, so many seconds each'
	@echo 'make site           build/site/index.html: the pages of docs/ as a site'
	@echo 'make sbom           build/sbom.cdx.json: what the wheel brings, each with version and licence (CycloneDX)'
	@echo 'make audit          known vulnerabilities of what the wheel brings'
	@echo 'make clean          removes what builds and tests leave behind; the environment .venv stays'

$(SET_UP): pyproject.toml constraints.txt stream/broker/pom.xml scripts/set-up
	@scripts/set-up

demo: $(SET_UP)
	@$(BIN)/refrain demo $(if $(FOR),--for $(FOR))

# Each process has a Kafka and a Redis of its own. Three on two cores: tests wait for servers half of their time.
# pytest comes last: its closing line is the last printed.
test: lint
	@$(BIN)/pytest --numprocesses 3 --dist loadfile

test-long: $(SET_UP)
	@$(BIN)/pytest -m long

soak: $(SET_UP)
	@$(BIN)/python -m tests.soak $(FOR) $(if $(FROM),--from $(FROM))

soak-cluster: $(SET_UP)
	@$(BIN)/python -m tests.soak $(FOR) --cluster $(if $(FROM),--from $(FROM))

lint: $(SET_UP)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

bench: $(SET_UP)
	@for benchmark in ingest activity latency learning feedback hetrec quality shapes ceiling fairness ctr policy uplift \
		lifecycle churn segments songs song_serving files web audience beside first_look; do \
		echo "$$benchmark"; $(BIN)/python -m benchmarks.$$benchmark || exit 1; \
	done

bench-history: $(SET_UP)
	@$(BIN)/python -m benchmarks.history --rows $(or $(ROWS),4000000)

screenshots: $(SET_UP)
	@$(BIN)/python docs/screenshots.py

fuzz: $(SET_UP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt atheris
	@for target in files events; do $(BIN)/python tests/fuzz/fuzz.py $$target $(or $(FOR),60) || exit 1; done

site: $(SET_UP)
	@$(BIN)/zensical build --strict --config-file mkdocs.yml

sbom: $(SET_UP)
	@scripts/audit sbom

audit: $(SET_UP)
	@scripts/audit vulnerabilities

clean:
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find models stream consumers tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
