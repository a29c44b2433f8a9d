.DEFAULT_GOAL := help
.PHONY: help demo test programs lint check lint-tools package mirrorctl bench fuzz modules mutants simulate explore nightly fmt cloud tools requirements

# Every cargo command selects all packages, or those that run the local cloud. `make check` holds that both give the
# EC2 SDK the same features: with others, cargo would build it again.
CARGO_FLAGS := --workspace --locked
LOCAL_CLOUD := --package tests --package automirror --package config-rule --package mirrorctl --locked

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

demo: ## Show automirror at work in the local cloud (ARGS=--serve keeps it running, ARGS=--help lists the others)
	@cargo build $(LOCAL_CLOUD) --bins
	@target/debug/demo $(ARGS)

PYTEST := pytest -q -p no:cacheprovider -p say_skipped

# Most tests wait for a process, a pause or a page, so more of them than there are cores go on at a time.
# The tests record the requests that need permissions. proof checks them against the policies of the roles: those of
# CloudFormation, and those of Terraform if the tests of the deployments wrote a plan. The last lines say what could
# not be tested.
test: export PYTHONPATH := $(CURDIR)/tests/pytest
test: tools programs target/tools/package/ready target/tools/deploy/ready target/tools/templates/ready target/tools/browser/ready target/tools/findings/ready target/tools/sensor/ready ## Run all tests (-j2 is faster)
	rm -rf target/authorizations target/deploy target/skipped
	AUTHORIZATIONS=$(CURDIR)/target/authorizations RUST_TEST_THREADS=4 cargo test $(CARGO_FLAGS)
	target/tools/package/bin/$(PYTEST) package --ignore package/test_zips.py
	env -u TF_CLI_CONFIG_FILE target/tools/deploy/bin/$(PYTEST) -n 4 tests/deploy
	target/tools/browser/bin/$(PYTEST) tests/browser
	target/tools/findings/bin/$(PYTEST) tests/findings
	target/debug/demo >target/demo.log || { tail -5 target/demo.log; exit 1; }
	target/debug/proof target/authorizations target/deploy/plans/default.json
	@if test -e target/skipped; then cat target/skipped; fi

# With -j2 the tools are installed meanwhile: the EC2 SDK keeps one core busy for minutes.
programs:
	cargo test $(CARGO_FLAGS) --no-run --quiet
	cargo build $(CARGO_FLAGS) --bins --quiet

lint: check lint-tools ## Check format, lints, documentation, licences, sources and templates (-j2 is faster)
	cargo deny check bans licenses sources
	target/tools/templates/bin/cfn-lint cloudformation/*.yaml cloudformation/examples/*.yaml
	target/tools/templates/bin/shellcheck cloudformation/*.sh package/*.sh tests/aws/*.sh tests/sensor/ready .ci/run
	target/tools/templates/bin/actionlint -shellcheck target/tools/templates/bin/shellcheck .github/workflows/*.yml
	target/tools/templates/bin/zizmor --offline --quiet --no-progress .github/workflows
	@if command -v terraform >/dev/null; then env -u TF_CLI_CONFIG_FILE CHECKPOINT_DISABLE=1 terraform fmt -check -recursive terraform; \
	else echo "terraform is not installed: the format of its files was not checked"; fi

features = cargo tree $(1) --edges normal,build --no-dedupe --prefix none --format '{p} {f}' | sort -u

check:
	cargo fmt --check
	@mkdir -p target && $(call features,$(LOCAL_CLOUD)) >target/features && \
	if $(call features,$(CARGO_FLAGS)) | comm -23 target/features - | grep .; then \
		echo "have other features with all packages than with those of the local cloud" >&2; exit 1; fi
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps --quiet

# The EC2 SDK keeps one core busy for minutes: with -j2 the tools are built on the other. They have a folder of
# their own, which a second build of them would wait for.
lint-tools: target/tools/templates/ready
	@command -v cargo-deny >/dev/null || cargo install --locked --quiet cargo-deny@0.20.2

package: target/tools/package/ready ## Build and test the zips of the functions (ARCHITECTURES=arm64: only that one, or fail)
	target/tools/package/bin/python package/package.py $(ARCHITECTURES)
	ARCHITECTURES="$(ARCHITECTURES)" target/tools/package/bin/pytest -q -rs -p no:cacheprovider package/test_zips.py

# A release publishes it. It is not part of the tests: it builds the EC2 SDK once more.
mirrorctl: target/tools/package/ready ## Build mirrorctl for Linux (ARCHITECTURES="arm64 x86_64")
	target/tools/package/bin/python package/mirrorctl.py $(ARCHITECTURES)

# It measures the zips for the architecture of this machine. The local cloud is built without the functions, and so
# without the SDK.
bench: ARCHITECTURES := $(if $(filter aarch64,$(shell uname -m)),arm64,x86_64)
bench: package ## Measure the functions in the local cloud, print a table and write target/bench.json
	target/tools/package/bin/python package/yardsticks.py $(ARCHITECTURES)
	cargo build --release --locked --package tests --no-default-features --bin bench
	target/release/bench target/package/$(ARCHITECTURES) target/bench.json

nightly: ## Run what takes too long for each change: the zips, modules, simulations, fuzzing, mutants
	$(MAKE) package
	$(MAKE) modules
	$(MAKE) simulate RUNS=5000 FROM=$$(date +%s)
	$(MAKE) fuzz SECONDS=1200
	$(MAKE) mutants

fmt: ## Format the code
	cargo fmt

simulate: ## Run random simulations (RUNS=5000 FROM=0; SEED=7 runs one and prints all its events)
	@cargo build $(LOCAL_CLOUD) --bins --quiet
	@target/debug/simulate $(if $(SEED),seed $(SEED),runs $(or $(RUNS),1000) from $(or $(FROM),0))

explore: ## Try every order of the calls of a few processes and a person (ARGS=thorough takes hours)
	@cargo build $(LOCAL_CLOUD) --bins --quiet
	@target/debug/explore $(ARGS)

cloud: ## Run the local cloud alone, without automirror, and print its endpoint (ARGS="--port N")
	@cargo build $(LOCAL_CLOUD) --bins
	@target/debug/cloud $(ARGS)

# The time for each fuzz target in seconds. target/fuzz keeps the inputs that a run finds. fuzz/keep adds them to the
# corpus.
SECONDS := 600
fuzz: ## Search for outside input that breaks something (SECONDS=5 for each fuzz target)
	fuzz/run $(SECONDS)

# It takes minutes to install and minutes to run, so not for each change.
modules: ## Check that no module uses one on a floor above it, nor one that uses it
	@command -v cargo-modules >/dev/null || cargo install --locked --quiet cargo-modules@0.27.0
	python3 tests/architecture/modules.py

mutants: ## Make small changes to the crate shared, and check that a test fails for each
	@command -v cargo-mutants >/dev/null || cargo install --locked --quiet cargo-mutants@27.1.0
	cargo mutants --package shared --output target

# The tools in Python. requirements.in has what we choose, requirements.txt also what that depends on, each with the
# hashes of all its files, for every processor and every Python from 3.11. pip installs nothing else. To take a newer
# version, change requirements.in; a requirements.txt keeps the versions that it has unless they are deleted from it.
requirements: ## Write each requirements.txt anew from its requirements.in
	python3 -m venv target/tools/uv
	target/tools/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	@for folder in cloudformation package tests/browser tests/deploy tests/findings tests/wire; do \
		(cd $$folder && $(CURDIR)/target/tools/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make requirements" --no-emit-index-url requirements.in -o requirements.txt) || exit; done

# The tools that the tests run against the local cloud and the functions: boto3, the AWS CLI and AWS's emulator of the
# Lambda runtime.
tools: target/tools/venv/ready target/tools/rie

target/tools/venv/ready: tests/wire/requirements.txt
	python3 -m venv target/tools/venv
	target/tools/venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

target/tools/templates/ready: cloudformation/requirements.txt
	python3 -m venv target/tools/templates
	target/tools/templates/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

target/tools/package/ready: package/requirements.txt
	python3 -m venv target/tools/package
	target/tools/package/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

target/tools/deploy/ready: tests/deploy/requirements.txt
	python3 -m venv target/tools/deploy
	target/tools/deploy/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

target/tools/findings/ready: tests/findings/requirements.txt
	python3 -m venv target/tools/findings
	target/tools/findings/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# Debian's Chromium, for the page of `mirrorctl report`.
target/tools/browser/ready: tests/browser/requirements.txt tests/browser/ready
	tests/browser/ready target/tools/browser

# Debian's tshark and OpenSSL, for what mirrorctl writes and the local cloud sends.
# After the browser: apt-get runs once at a time.
target/tools/sensor/ready: tests/sensor/ready | target/tools/browser/ready
	tests/sensor/ready $@

target/tools/rie: tests/rie/requirements.txt tests/rie/fetch.py
	mkdir -p target/tools
	python3 tests/rie/fetch.py target/tools > $@.new
	mv $@.new $@
