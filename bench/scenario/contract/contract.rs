// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! The contract between the harness and a contender written in Rust: see contract.hpp.

use std::future::Future;
use std::time::Instant;

pub struct Arguments {
    pub workers: usize,
    pub size: u64,
    pub repeat: u32,
}

/// Ends the process with status 2 and a sentence when the arguments are not those of the contract.
pub fn parse() -> Arguments {
    let mut parsed = Arguments { workers: 1, size: 0, repeat: 1 };
    let words: Vec<String> = std::env::args().skip(1).collect();
    for pair in words.chunks(2) {
        let number = pair.get(1).and_then(|word| word.parse::<u64>().ok());
        match (pair[0].as_str(), number) {
            ("--workers", Some(n)) => parsed.workers = n as usize,
            ("--size", Some(n)) => parsed.size = n,
            ("--repeat", Some(n)) => parsed.repeat = n as u32,
            _ => {
                eprintln!("usage: --workers N --size S --repeat R");
                std::process::exit(2);
            }
        }
    }
    parsed
}

/// The most memory that this process had resident so far, in KiB; 0 where that is not known.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// One measured value.
pub fn report(value: f64, unit: &str, answer: u64) {
    println!(
        "{{\"value\": {:.6}, \"unit\": \"{}\", \"answer\": {}, \"peak_kib\": {}}}",
        value,
        unit,
        answer,
        peak_kib()
    );
}

/// One measured value of a repetition that prints several.
pub fn report_metric(value: f64, unit: &str, answer: u64, metric: &str) {
    println!(
        "{{\"value\": {:.6}, \"unit\": \"{}\", \"answer\": {}, \"peak_kib\": {}, \"metric\": \"{}\"}}",
        value,
        unit,
        answer,
        peak_kib(),
        metric
    );
}

pub fn runtime(workers: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs `body() -> answer` once per repetition, as a task on a worker (the thread that calls
/// block_on is none), and reports nanoseconds per operation.
pub fn measure_per_operation<B, F>(given: &Arguments, operations: u64, body: B)
where
    B: Fn() -> F,
    F: Future<Output = u64> + Send + 'static,
{
    let runtime = runtime(given.workers);
    for _ in 0..given.repeat {
        let start = Instant::now();
        let task = runtime.spawn(body());
        let answer = runtime.block_on(task).expect("the body returns");
        report(start.elapsed().as_nanos() as f64 / operations as f64, "ns/op", answer);
    }
}
