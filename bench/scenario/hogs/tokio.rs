// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! hogs on Tokio: a task for every sleep and every hog.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const HEAD_START: Duration = Duration::from_millis(100);
const KEPT: Duration = Duration::from_millis(500);

fn deadline_of(start: Instant, i: u64, size: u64) -> Instant {
    let place = i * 100_003 % size;
    start + HEAD_START + Duration::from_nanos(place * (KEPT.as_nanos() as u64 / size))
}

/// How late, in nanoseconds: negative for a sleep that ends early.
async fn sleeper(deadline: Instant) -> i64 {
    tokio::time::sleep_until(deadline.into()).await;
    let now = Instant::now();
    if now >= deadline {
        (now - deadline).as_nanos() as i64
    } else {
        -((deadline - now).as_nanos() as i64)
    }
}

async fn computes(begin: Instant) {
    tokio::time::sleep_until(begin.into()).await;
    while Instant::now() < begin + KEPT {}
}

async fn blocks(begin: Instant, mut reader: UnixStream) {
    tokio::time::sleep_until(begin.into()).await;
    let mut byte = [0u8];
    reader.read_exact(&mut byte).expect("the writer writes");
}

async fn sleep_all(size: u64, hogs: usize) -> Vec<i64> {
    let start = Instant::now();
    let begin = start + HEAD_START;
    let mut tasks = Vec::with_capacity(size as usize);
    for i in 0..size {
        tasks.push(tokio::spawn(sleeper(deadline_of(start, i, size))));
    }
    let mut keepers = vec![tokio::spawn(computes(begin))];
    let mut writers = Vec::new();
    for _ in 1..hogs {
        let (reader, writer) = UnixStream::pair().expect("a pair of sockets");
        keepers.push(tokio::spawn(blocks(begin, reader)));
        writers.push(writer);
    }
    let release = std::thread::spawn(move || {
        std::thread::sleep((begin + KEPT).saturating_duration_since(Instant::now()));
        for mut writer in writers {
            writer.write_all(b"x").expect("the reader reads");
        }
    });
    let mut late = Vec::with_capacity(size as usize);
    for task in tasks {
        late.push(task.await.expect("the sleep ends"));
    }
    for keeper in keepers {
        keeper.await.expect("the hog ends");
    }
    release.join().expect("the writer ends");
    late
}

fn main() {
    let given = contract::parse();
    let runtime = contract::runtime(given.workers);
    for _ in 0..given.repeat {
        let task = runtime.spawn(sleep_all(given.size, given.workers));
        let mut late = runtime.block_on(task).expect("the sleeps end");
        let answer = late.iter().filter(|nanoseconds| **nanoseconds >= 0).count() as u64;
        late.sort_unstable();
        contract::report_metric(late[late.len() / 2] as f64 / 1e3, "us", answer, "p50");
        contract::report_metric(late[late.len() * 99 / 100] as f64 / 1e3, "us", answer, "p99");
    }
}
