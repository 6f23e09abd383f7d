//! 16 KiB records of the package and of rustls, side by side.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use opensspi_bench::{Bulk, Version};

fn records(c: &mut Criterion) {
    for (version, suite) in [
        (Version::Tls13, "TLS_AES_128_GCM_SHA256"),
        (Version::Tls13, "TLS_CHACHA20_POLY1305_SHA256"),
        (Version::Tls12, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    ] {
        let mut group = c.benchmark_group(suite);
        group.throughput(Throughput::Bytes(16384));
        let mut bulk = Bulk::new(version, suite);
        group.bench_function("encrypt opensspi", |b| b.iter(|| bulk.our_encrypt()));
        let mut bulk = Bulk::new(version, suite);
        group.bench_function("encrypt rustls", |b| b.iter(|| bulk.their_encrypt()));
        group.throughput(Throughput::Bytes(16384 * 64));
        let bulk = std::cell::RefCell::new(Bulk::new(version, suite));
        group.bench_function("decrypt opensspi", |b| {
            b.iter_batched(
                || bulk.borrow_mut().our_batch(),
                |()| bulk.borrow_mut().our_decrypt(),
                BatchSize::PerIteration,
            );
        });
        let bulk = std::cell::RefCell::new(Bulk::new(version, suite));
        group.bench_function("decrypt rustls", |b| {
            b.iter_batched(
                || bulk.borrow_mut().their_batch(),
                |()| bulk.borrow_mut().their_decrypt(),
                BatchSize::PerIteration,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, records);
criterion_main!(benches);
