// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! foreign_spawn on Tokio: Runtime::spawn. See workload.hpp.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

const SINGLE_STARTS: u64 = 1000;
const PAUSE: Duration = Duration::from_micros(300);

/// Counts the tasks that ran, and when the last one did.
struct Tally {
    begin: Instant,
    goal: u64,
    count: AtomicU64,
    last: AtomicU64, // nanoseconds since `begin`
    waits: Thread,
}

impl Tally {
    /// Lives as long as the process: the last task may still be in arrive().
    fn new(goal: u64) -> &'static Tally {
        Box::leak(Box::new(Tally {
            begin: Instant::now(),
            goal,
            count: AtomicU64::new(0),
            last: AtomicU64::new(0),
            waits: std::thread::current(),
        }))
    }

    fn arrive(&self) {
        self.last.store(self.begin.elapsed().as_nanos() as u64, Ordering::SeqCst);
        if self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.goal {
            self.waits.unpark();
        }
    }

    fn all_have(&self) -> bool {
        self.count.load(Ordering::SeqCst) == self.goal
    }
}

fn sleeps_so_far() -> u64 {
    let mut sum = 0;
    for thread in std::fs::read_dir("/proc/self/task").expect("the threads") {
        let path = thread.expect("a thread").path().join("status");
        let status = std::fs::read_to_string(path).unwrap_or_default();
        for line in status.lines() {
            if let Some(rest) = line.strip_prefix("voluntary_ctxt_switches:") {
                sum += rest.trim().parse::<u64>().expect("a number");
            }
        }
    }
    sum
}

fn main() {
    let given = contract::parse();
    let runtime = contract::runtime(given.workers);
    for _ in 0..given.repeat {
        let answer = given.size + SINGLE_STARTS;
        let sleeps_before = sleeps_so_far();
        let burst = Tally::new(given.size);
        for _ in 0..given.size {
            runtime.spawn(async move { burst.arrive() });
        }
        while !burst.all_have() {
            std::thread::park();
        }
        let size = given.size as f64;
        let nanoseconds = burst.begin.elapsed().as_nanos() as f64;
        let sleeps = (sleeps_so_far() - sleeps_before) as f64;
        contract::report_metric(nanoseconds / size, "ns/op", answer, "burst");
        contract::report_metric(sleeps * 1e6 / size, "per 1e6", answer, "sleeps");

        let mut late = Vec::new();
        for _ in 0..SINGLE_STARTS {
            std::thread::sleep(PAUSE);
            let one = Tally::new(1);
            runtime.spawn(async move { one.arrive() });
            while !one.all_have() {
                std::hint::spin_loop();
            }
            late.push(one.last.load(Ordering::SeqCst));
        }
        late.sort_unstable();
        let at = |place: u64| late[place as usize] as f64 / 1e3;
        contract::report_metric(at(SINGLE_STARTS / 2), "us", answer, "wake p50");
        contract::report_metric(at(SINGLE_STARTS * 99 / 100), "us", answer, "wake p99");
    }
}
