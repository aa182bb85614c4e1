#!/usr/bin/env bash
# Builds the fuzz targets as ClusterFuzzLite and OSS-Fuzz want them in $OUT. `cargo xtask oss-fuzz-check` runs it without
# an image; docs/oss-fuzz.md explains.
set -euo pipefail
cd "$SRC/memtwin"

# The longest input: the wire format's limit, in bytes.
longest=1048576
# After so many seconds an input hangs. Those kept here take milliseconds.
patience=25

# Compiled in: the runners watch over the processes themselves, and pass no variable of ours on.
export MEMTWIN_SUPERVISED=1
export CARGO_TARGET_DIR="$WORK/target"
# In coverage builds the image turns this into `cargo build --bins` in fuzz/, and puts the programs into the same folder.
cargo fuzz build -O --debug-assertions

for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    cp "$CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    printf '[libfuzzer]\nmax_len = %s\ntimeout = %s\n' "$longest" "$patience" >"$OUT/$target.options"

    # Only wire bytes, on which all sound subjects agree. A JSON trace names its subject, and most of those are broken.
    seeds="$WORK/seeds/$target"
    rm -rf "$seeds"
    mkdir -p "$seeds"
    for seed in "corpus/$target"/seed-*; do
        cp "$seed" "$seeds/$(sha1sum <"$seed" | cut -d ' ' -f 1)"
    done
    rm -f "$OUT/${target}_seed_corpus.zip"
    zip -q -j "$OUT/${target}_seed_corpus.zip" "$seeds"/*
done
