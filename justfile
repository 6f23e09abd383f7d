# Thin names for the commands of CONTRIBUTING.md. `just` alone lists them.

_list:
    @just --list --unsorted

# fmt, arch, spec-keys, clippy, tests, doctests, docs, deny
check *args:
    cargo xtask check {{args}}

# The same, with the peers of the interop tests installed first: what CI runs
test *args:
    cargo xtask test {{args}}

# Every peer, protocol and suite; writes docs/interop.md
interop *args:
    cargo xtask interop --full {{args}}

# Handshakes and data for a long time, memory and errors watched
soak *args:
    cargo xtask soak {{args}}

# A server and a client in one process, explained step by step
demo *args:
    cargo run --release -- demo {{args}}

# Handshakes, throughput and memory, as ratios of one run: docs/speed.md
bench *args:
    cargo xtask bench {{args}}

# Whether time tells a secret
timing *args:
    cargo xtask timing {{args}}
