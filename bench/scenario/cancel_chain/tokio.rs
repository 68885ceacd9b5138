// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! cancel_chain on Tokio: tasks that await each other; the outermost is aborted. A dropped handle
//! detaches its task, so each level aborts the one below when it is dropped; the drop of the
//! innermost is the last.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const LEVELS: u64 = 50_000;

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct LevelEnds(Arc<AtomicU64>);

impl Drop for LevelEnds {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Signals {
    begun: oneshot::Sender<()>,
    ended: oneshot::Sender<()>, // by being dropped
}

fn level(
    depth: u64,
    levels: Arc<AtomicU64>,
    signals: Signals,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if depth == 1 {
            let _ended = signals.ended;
            let _end = LevelEnds(levels);
            let _ = signals.begun.send(());
            tokio::time::sleep(Duration::from_secs(3600)).await;
        } else {
            let _end = LevelEnds(levels.clone());
            let mut next = AbortOnDrop(tokio::spawn(level(depth - 1, levels, signals)));
            let _ = (&mut next.0).await;
        }
    })
}

async fn cancel_one(depth: u64, levels: Arc<AtomicU64>) -> Duration {
    let (begun, has_begun) = oneshot::channel();
    let (ended, has_ended) = oneshot::channel();
    let chain = tokio::spawn(level(depth, levels, Signals { begun, ended }));
    has_begun.await.expect("it begins");
    tokio::task::yield_now().await;
    let start = Instant::now();
    chain.abort();
    let _ = chain.await;
    let _ = has_ended.await;
    start.elapsed()
}

async fn cancel_all(depth: u64) -> (u64, Duration) {
    let levels = Arc::new(AtomicU64::new(0));
    let mut time = Duration::ZERO;
    for _ in 0..LEVELS / depth {
        time += cancel_one(depth, levels.clone()).await;
    }
    (levels.load(Ordering::Relaxed), time)
}

fn main() {
    let given = contract::parse();
    let runtime = contract::runtime(given.workers);
    for _ in 0..given.repeat {
        let task = runtime.spawn(cancel_all(given.size));
        let (levels, time) = runtime.block_on(task).expect("the body returns");
        contract::report(time.as_nanos() as f64 / LEVELS as f64, "ns/op", levels);
    }
}
