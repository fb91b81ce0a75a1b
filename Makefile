# `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help build run test browser-test screenshots lint fmt generate generate-check tidy-check fuzz torture soak bench bench-litellm bench-smoke build-bench golden clean \
	e2e-litellm e2e-litellm-all compare-litellm

TOOL   := go tool -modfile=$(CURDIR)/internal/tools/go.mod
BINARY := $(CURDIR)/build/otelcol-cloudzero
BROWSER_TEST := cloudzeroexporter/internal/browsertest
# Inputs, not seconds: before Go 1.27 fuzzing can fail at the end of a time, https://go.dev/issue/75804.
FUZZTIME ?= 300000x
# Minimizing what is interesting would take all of the time otherwise.
MINIMIZE := -fuzzminimizetime 100x
TORTURE  ?= 3600
BENCH    := cloudzeroexporter/cmd/bench

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1	/p' Makefile | expand -t 16

build: ## build the distribution into build/
	$(TOOL) builder --config builder-config.yaml

run: build ## run it: with CLOUDZERO_API_KEY and CLOUDZERO_CONNECTION_ID for real, without them in a sandbox
	@go run ./cloudzeroexporter/cmd/quickstart -collector $(BINARY)

test: build ## run all tests, those against the built distribution included
	OTELCOL_CLOUDZERO=$(BINARY) $(TOOL) gotestsum --format pkgname -- -race -timeout 15m ./...
	go test -C $(BENCH) -race ./...

browser-test: build ## open the console of the built distribution in a headless Chromium
	cd $(BROWSER_TEST) && OTELCOL_CLOUDZERO=$(BINARY) go test -timeout 10m ./...

screenshots: build ## take the pictures of the console that the documentation shows
	cd $(BROWSER_TEST) && SCREENSHOTS=$(CURDIR)/docs/console OTELCOL_CLOUDZERO=$(BINARY) go test -run TestScreenshots ./...

lint: ## look for mistakes
	$(TOOL) golangci-lint run ./...
	cd $(BROWSER_TEST) && $(TOOL) golangci-lint run ./...
	cd $(BENCH) && $(TOOL) golangci-lint run ./...

fmt: ## format the code
	$(TOOL) gofumpt -w cloudzeroexporter

generate: ## regenerate what is made from metadata.yaml
	go generate ./...

generate-check: generate ## fail when the committed files are not the generated ones
	git diff --exit-code -- cloudzeroexporter
	@test -z "$$(git ls-files --others --exclude-standard -- cloudzeroexporter)" || { git status --short; exit 1; }

tidy-check: ## fail when go.mod is not tidy
	go mod tidy -diff
	cd internal/tools && go mod tidy -diff
	cd $(BROWSER_TEST) && go mod tidy -diff
	cd $(BENCH) && go mod tidy -diff

fuzz: ## fuzz every target with FUZZTIME inputs
	go test -run '^$$' -fuzz '^FuzzParseAmount$$' -fuzztime $(FUZZTIME) $(MINIMIZE) ./cloudzeroexporter/internal/billing
	go test -run '^$$' -fuzz '^FuzzRead$$' -fuzztime $(FUZZTIME) $(MINIMIZE) ./cloudzeroexporter/internal/usage
	go test -run '^$$' -fuzz '^FuzzMembers$$' -fuzztime $(FUZZTIME) $(MINIMIZE) ./cloudzeroexporter/internal/usage
	go test -run '^$$' -fuzz '^FuzzReadMetrics$$' -fuzztime $(FUZZTIME) $(MINIMIZE) ./cloudzeroexporter/internal/usage
	go test -run '^$$' -fuzz '^FuzzKey$$' -fuzztime $(FUZZTIME) $(MINIMIZE) ./cloudzeroexporter/internal/cbf
	go test -run '^$$' -fuzz '^FuzzReplay$$' -fuzztime $(FUZZTIME) $(MINIMIZE) ./cloudzeroexporter/internal/ledger

torture: ## do random bad things for TORTURE seconds, and compare with a model
	go test -c -o build/exporter.test ./cloudzeroexporter
	cd cloudzeroexporter && end=$$(( $$(date +%s) + $(TORTURE) )) && n=0 && while [ $$(date +%s) -lt $$end ]; do \
		../build/exporter.test -test.run TheWhole -rapid.checks=2000 -test.timeout 1h || exit 1; n=$$(( n + 2000 )); echo "$$n sequences"; done

soak: ## live through a simulated month and print what it takes
	SOAK=1 go test -run TestSoak -v -timeout 1h ./cloudzeroexporter

# LiteLLMs from PyPI, in a folder each; the pins are beside the tests.
LITELLM_TESTS := cloudzeroexporter/internal/e2e/litellm
LITELLM_OLD   := 1.92.2 1.83.7
LITELLM_NEW   := 1.108.7
LITELLM        = LITELLM_VENVS=$(CURDIR)/build/litellms OTELCOL_CLOUDZERO=$(BINARY)

e2e-litellm: build build/litellms/$(LITELLM_NEW)/installed ## drive the newest real LiteLLM, for a minute
	$(LITELLM) go test ./$(LITELLM_TESTS) -v -count 1 -parallel 2 -timeout 20m

e2e-litellm-all: build $(foreach v,$(LITELLM_NEW) $(LITELLM_OLD),build/litellms/$(v)/installed) ## … all releases and modes, with chaos
	$(LITELLM) LITELLM_ALL=1 go test ./$(LITELLM_TESTS) -v -count 1 -parallel 2 -timeout 60m

compare-litellm: build build/litellms/$(LITELLM_NEW)/installed ## compare with LiteLLM's own CloudZero integration
	$(LITELLM) SEED=$${SEED:-1} LITELLM_COMPARE=1 go test ./$(LITELLM_TESTS) -v -count 1 -run TestBesideLiteLLMsOwn -timeout 20m

build/litellms/%/installed: $(LITELLM_TESTS)/testdata/litellm-%.txt build/litellms/uv/bin/uv
	build/litellms/uv/bin/uv venv --quiet --clear --python "$$(command -v python3)" build/litellms/$*
	build/litellms/uv/bin/uv pip install --quiet --python build/litellms/$*/bin/python --requirement $<
	touch $@

build/litellms/uv/bin/uv:
	python3 -m venv build/litellms/uv
	build/litellms/uv/bin/pip install --quiet uv==0.13.9

bench: build build-bench ## measure the whole collector beside others, and write docs/benchmarks.md
	build/bench -out docs/benchmarks.md $(BENCH_FLAGS)

bench-litellm: build build-bench ## measure LiteLLM's own exporter beside ours; it comes from PyPI
	test -x build/litellm/bin/python || python3 -m venv build/litellm
	build/litellm/bin/pip install --quiet --disable-pip-version-check -r $(BENCH)/litellm/requirements.txt
	build/bench -only litellm -out docs/benchmarks.md $(BENCH_FLAGS)

bench-smoke: build build-bench ## send a little of everything and check that all of it was billed
	build/bench -only smoke

build-bench:
	go build -C $(BENCH) -o $(CURDIR)/build/bench .

golden: ## rewrite the golden rows; look at the diff before you commit it
	go test ./cloudzeroexporter -run TestGolden -update

clean: ## remove what was built
	rm -rf build
