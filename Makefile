.DEFAULT_GOAL := help
.PHONY: help demo test lint package bench fuzz mutants simulate explore nightly fmt cloud tools

# One selection of packages everywhere: any other gives the EC2 SDK other features and builds it anew.
CARGO_FLAGS := --workspace --locked

help: ## Say what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

demo: ## Watch automirror at work in a local cloud (ARGS=--serve leaves it running)
	@cargo build $(CARGO_FLAGS) --bins
	@target/debug/demo $(ARGS)

PYTEST := pytest -q -p no:cacheprovider -p say_skipped

# The tests record what the roles are asked, and proof judges it, Terraform's policies too if the tests of
# deployments left a plan. What could not be tested is said at the very end.
test: export PYTHONPATH := $(CURDIR)/tests/pytest
test: tools package target/tools/deploy/ready target/tools/templates/ready ## Run every test
	rm -rf target/authorizations target/deploy target/skipped
	AUTHORIZATIONS=$(CURDIR)/target/authorizations cargo test $(CARGO_FLAGS)
	@cargo build $(CARGO_FLAGS) --bins --quiet
	target/tools/package/bin/$(PYTEST) package
	env -u TF_CLI_CONFIG_FILE target/tools/deploy/bin/$(PYTEST) -n 4 tests/deploy
	target/debug/proof target/authorizations target/deploy/plans/default.json
	@if test -e target/skipped; then cat target/skipped; fi

lint: target/tools/templates/ready ## Check format, lints, documentation, licences, sources and templates
	cargo fmt --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps --quiet
	@command -v cargo-deny >/dev/null || cargo install --locked --quiet cargo-deny@0.20.2
	cargo deny check bans licenses sources
	target/tools/templates/bin/cfn-lint cloudformation/*.yaml
	@if command -v terraform >/dev/null; then env -u TF_CLI_CONFIG_FILE CHECKPOINT_DISABLE=1 terraform fmt -check -recursive terraform; \
	else echo "terraform is not installed: the format of its files was not checked"; fi

package: target/tools/package/ready ## Build the functions' zips for Lambda (ARCHITECTURES=arm64: that one or nothing)
	target/tools/package/bin/python package/package.py $(ARCHITECTURES)

# For this machine, whose figures they are. The local cloud is built without the functions, and so without the SDK.
bench: ARCHITECTURES := $(if $(filter aarch64,$(shell uname -m)),arm64,x86_64)
bench: package ## Measure the packages in the local cloud: a table, and target/bench.json
	target/tools/package/bin/python package/yardsticks.py $(ARCHITECTURES)
	cargo build --release --locked --package tests --no-default-features --bin bench
	target/release/bench target/package/$(ARCHITECTURES) target/bench.json

nightly: ## What takes too long for every change: simulations, fuzzing, mutants
	$(MAKE) simulate RUNS=5000 FROM=$$(date +%s)
	$(MAKE) fuzz SECONDS=1200
	$(MAKE) mutants

fmt: ## Format the code
	cargo fmt

simulate: ## Play simulations (RUNS=5000 FROM=0; SEED=7: that one, with all that happens in it)
	@cargo build $(CARGO_FLAGS) --bins --quiet
	@target/debug/simulate $(if $(SEED),seed $(SEED),runs $(or $(RUNS),1000) from $(or $(FROM),0))

explore: ## Try every order of calls of a few processes and a person (ARGS=thorough: larger ones, in hours)
	@cargo build $(CARGO_FLAGS) --bins --quiet
	@target/debug/explore $(ARGS)

cloud: ## Run the local cloud as a server and print its endpoint (ARGS="--port N")
	@cargo build $(CARGO_FLAGS) --bins
	@target/debug/cloud $(ARGS)

# Seconds for each target. What is found is kept in target/fuzz; fuzz/keep adds it to the corpus.
SECONDS := 600
fuzz: ## Look for input from outside that breaks something (SECONDS=5 for each target)
	fuzz/run $(SECONDS)

mutants: ## Break the decision in every small way, and see whether a test notices
	@command -v cargo-mutants >/dev/null || cargo install --locked --quiet cargo-mutants@27.1.0
	cargo mutants --package shared --output target

# What the tests compare the local cloud and the binary with: boto3, the AWS CLI, AWS's emulator.
tools: target/tools/venv/ready target/tools/rie

target/tools/venv/ready: tests/wire/requirements.txt
	python3 -m venv target/tools/venv
	target/tools/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

target/tools/templates/ready: cloudformation/requirements.txt
	python3 -m venv target/tools/templates
	target/tools/templates/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

target/tools/package/ready: package/requirements.txt
	python3 -m venv target/tools/package
	target/tools/package/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

target/tools/deploy/ready: tests/deploy/requirements.txt
	python3 -m venv target/tools/deploy
	target/tools/deploy/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

target/tools/rie: tests/rie/requirements.txt tests/rie/fetch.py
	mkdir -p target/tools
	python3 tests/rie/fetch.py target/tools > $@.new
	mv $@.new $@
