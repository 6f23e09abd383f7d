//! Connections with Negotiate over NTLM and with NTLM alone, side by side.

use criterion::{Criterion, criterion_group, criterion_main};
use opensspi_bench::{Connection, NtlmPair};

fn connections(c: &mut Criterion) {
    let (direct, negotiated) = (NtlmPair::direct(), NtlmPair::negotiated());
    for connection in [Connection::Unsigned, Connection::Signed, Connection::Talking] {
        let mut group = c.benchmark_group(format!("NTLM {connection:?}"));
        group.bench_function("Negotiate", |b| b.iter(|| negotiated.connect(connection)));
        group.bench_function("alone", |b| b.iter(|| direct.connect(connection)));
        group.finish();
    }
}

criterion_group!(benches, connections);
criterion_main!(benches);
