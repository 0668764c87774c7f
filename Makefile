# make demo   install and watch a real GAN learn real faces
# make test   install and run every test (the browser and Prometheus come from apt if they are missing,
#             axe-core from npm, TensorBoard into .venv-peers)
# make bench-peers  .venv-peers: this product beside other loggers, for benchmarks/hooks and benchmarks/server
# make check  formatting, lint, types, import rules, then the tests: what CI runs

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
# Reads /metrics, evaluates what the dashboard asks and checks the alert rules. Unpacked only: once
# installed it would run as a service.
PROMETHEUS := $(VENV)/prometheus/usr/bin/prometheus
# Looks for what people with disabilities would stumble over; only the browser's tests need it.
AXE := tests/dashboard/node_modules/axe-core/axe.min.js
# Versions that were tested together; the ranges in pyproject.toml are what users may combine.
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
PEERS_INSTALL := $(BIN)/pip --python $(PEERS)/bin/python install --quiet --disable-pip-version-check \
	--constraint benchmarks/constraints.txt

.DELETE_ON_ERROR:
.PHONY: demo up test check lint format faces100 constraints bench-peers clean

demo: $(VENV)/installed
	$(BIN)/sqd demo

up: $(VENV)/installed
	$(BIN)/sqd up

test: $(VENV)/installed-dev $(AXE) $(PEERS)/tensorboard
	(command -v chromium && command -v tc && command -v curl && command -v openssl) >/dev/null \
	|| (apt-get update -qq && apt-get install -y -qq chromium iproute2 curl openssl)
	(command -v prometheus && command -v promtool || test -x $(PROMETHEUS)) >/dev/null \
	|| (apt-get update -qq && cd $(VENV) && apt-get download -qq prometheus \
	&& dpkg-deb --extract prometheus_*.deb prometheus && rm prometheus_*.deb)
	$(BIN)/pytest --numprocesses 3 --dist loadfile
	node --test --test-timeout=60000 tests/dashboard/

check: lint test

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Trains the demo's embedder again and writes it with its reference set into the package.
faces100: $(VENV)/installed-dev
	$(BIN)/python -m monitor.diversity.faces100.train

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing (torch is large; this takes a few minutes the first time)"
	$(PIP_INSTALL) --editable '.[all]'
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) --editable '.[dev]'
	touch $@ $(VENV)/installed

$(AXE): tests/dashboard/package.json
	npm install --prefix tests/dashboard --no-package-lock --no-audit --no-fund --silent
	touch $@

# Pins what is installed now; run the tests before committing it.
constraints: $(VENV)/installed-dev
	$(BIN)/pip freeze --exclude-editable > constraints.txt

# Other loggers, never beside the product's own packages: what .venv has serves both (a path file
# adds it), what must be another version goes into .venv-peers and hides it there.
bench-peers: $(PEERS)/installed

$(PEERS)/bin/python: | $(VENV)/installed
	$(PYTHON) -m venv --without-pip --clear $(PEERS)
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" \
		> "$$($(PEERS)/bin/python -c 'import site; print(site.getsitepackages()[0])')/product.pth"

$(PEERS)/installed: pyproject.toml benchmarks/constraints.txt | $(PEERS)/bin/python
	$(PEERS_INSTALL) --editable '.[embedded,peers]'
	touch $@ $(PEERS)/tensorboard

# Alone it takes seconds: the tests put our server beside it.
$(PEERS)/tensorboard: benchmarks/constraints.txt | $(PEERS)/bin/python
	$(PEERS_INSTALL) tensorboard
	touch $@

clean:
	rm -rf $(VENV) $(PEERS) tests/dashboard/node_modules build dist artifacts .mypy_cache .pytest_cache .ruff_cache
