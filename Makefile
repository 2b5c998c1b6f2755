# Everything on a fresh machine with Python 3.11+ and nothing else installed:
#   make demo     set up, forge a teaching image, explain it
#   make test     set up and run the tests
#   make judges-all   every recorded start again, for real; the tests start a sample of them
#   make soak     many runs over a warm index cache, each cut and flipped bit of ten small images, and of a cache: hours
#   make docs     the documentation as a site, in docs/_site
#   make site     imagepeel in a browser tab, a folder for any web server, in demo/site
#   make pyodide  Python as WebAssembly, in demo/pyodide: the tests run the cells of the notebooks in it, with node
#   make pythons  as root, with mmdebstrap: the tests under Debian's Python 3.13 and 3.14, in trees below demo/pythons
#   make lowest   the tests with the lowest version of each dependency, in .venv-lowest
#   make release  sdist and wheel in dist/, checked and installed into a clean environment; publishes nothing
#   make fuzz     each parser on changed inputs, ten minutes each: make fuzz FUZZ="shell elf --seconds 60"
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# CI measures branches: make test COVERAGE="--cov --cov-report= --cov-fail-under=90"
COVERAGE ?=
STAMP := $(VENV)/.installed

# Targets and options of make fuzz, all targets without.
FUZZ ?=

.PHONY: demo test docs docs-tools lint bench soak fuzz judges judges-all pyodide site pythons lowest release clean

demo: $(VENV)/.demo
	$(BIN)/imagepeel forge shop demo/shop.tar
	$(BIN)/imagepeel explain demo/shop.tar
	@printf '%s\n' '' 'What to try next, here:' \
		'  . $(BIN)/activate' \
		'  imagepeel process demo/shop.tar' \
		'  imagepeel wtf demo/shop.tar' \
		'  imagepeel tree demo/shop.tar --layer 4'

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile -q $(COVERAGE)

lint: $(STAMP)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check -q src tests benchmarks
	$(BIN)/mypy
	$(BIN)/vulture

# The pages as a site, in docs/_site; a warning is an error.
docs: docs-tools
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_site
	$(BIN)/python docs/screenshots.py docs/_site/screenshots

# What the tests of the site need: they build it, and a warning fails them.
docs-tools: $(STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[docs]"

# imagepeel in a browser tab: a folder for any web server, in demo/site.
site: pyodide
	$(BIN)/python site/build.py demo/pyodide demo/site

bench: $(STAMP)
	$(BIN)/python benchmarks/build.py demo/bench
	$(BIN)/python benchmarks/run.py demo/bench

soak: $(STAMP)
	$(BIN)/python tests/soak/first_decode.py 300
	$(BIN)/python tests/soak/warm_runs.py 5000
	$(BIN)/python tests/soak/damage.py
	$(BIN)/python tests/soak/tampering.py
	IMAGEPEEL_LARGE=50 $(BIN)/python -m pytest -q tests/hostile/test_large.py
	IMAGEPEEL_SWAP_ROUNDS=100 $(BIN)/python -m pytest -q tests/world/test_swapping.py
	IMAGEPEEL_SIGNAL_MOMENTS=100 IMAGEPEEL_CACHE_FLIPS=500 $(BIN)/python -m pytest -q \
		tests/world/test_signals.py tests/world/test_one_cache.py

# Where atheris has no wheel, inputs are changed at random instead of being led by coverage.
fuzz: $(STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[fuzz]" || true
	$(BIN)/python tests/fuzz/run.py $(FUZZ)

# Debian packages that the tests use as outside judges; tests skip, with the reason, where one is absent.
judges:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$(cat .ci/judges.txt)
	npm install --prefix demo/sarif --no-audit --no-fund --silent @microsoft/sarif-multitool-linux || true

# Everything that was recorded is started again: many minutes.  `make test` starts a sample.
judges-all: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile -q --all-starts -m judge tests/differential tests/viewer

# What JupyterLite runs notebooks in: Pyodide, and the wheel of msgspec that fits it; those of pandas and numpy where the
# index has them, without which the test of the cells that need pandas skips.
PYODIDE_WHEELS := $(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: \
	--platform pyemscripten_2026_0_wasm32 --python-version 3.14 --implementation cp --abi cp314 -d demo/pyodide
pyodide: $(STAMP)
	mkdir -p demo/pyodide
	npm install --prefix demo/pyodide --no-audit --no-fund --silent pyodide@314
	$(PYODIDE_WHEELS) msgspec
	$(PYODIDE_WHEELS) numpy pandas || echo 'no wheels of numpy and pandas for Pyodide in this index'
	$(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.14 \
		-d demo/pyodide/wheels micropip packaging click jinja2 pyelftools rich markdown-it-py mdurl pygments python-magic

pythons:
	.ci/pythons.sh demo/pythons

# The tests of single parts and of all commands.
LOWEST_TESTS ?= tests/unit tests/golden tests/conformance tests/property
lowest:
	PYTHON=$(PYTHON) .ci/lowest.sh .venv-lowest $(LOWEST_TESTS)

release:
	PYTHON=$(PYTHON) .ci/release.sh dist

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[magic]"
	mkdir -p demo
	touch $@

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .venv-lowest dist demo .pytest_cache .mypy_cache .ruff_cache
