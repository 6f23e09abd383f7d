//! Handshakes of the package and of rustls, side by side.

use criterion::{Criterion, criterion_group, criterion_main};
use opensspi_bench::{FullHandshake, Key, ResumedHandshake, Version};

fn full(c: &mut Criterion) {
    for (version, key) in
        [(Version::Tls13, Key::Ecdsa), (Version::Tls13, Key::Rsa), (Version::Tls12, Key::Ecdsa)]
    {
        let both = FullHandshake::new(version, key);
        let mut group = c.benchmark_group(format!("full handshake {version:?} {key:?}"));
        group.bench_function("opensspi", |b| b.iter(|| both.ours()));
        group.bench_function("rustls", |b| b.iter(|| both.theirs()));
        group.finish();
    }
}

fn resumed(c: &mut Criterion) {
    for version in [Version::Tls13, Version::Tls12] {
        let both = ResumedHandshake::new(version, Key::Ecdsa);
        let mut group = c.benchmark_group(format!("resumed handshake {version:?}"));
        group.bench_function("opensspi", |b| b.iter(|| both.ours()));
        group.bench_function("rustls", |b| b.iter(|| both.theirs()));
        group.finish();
    }
}

criterion_group!(benches, full, resumed);
criterion_main!(benches);
