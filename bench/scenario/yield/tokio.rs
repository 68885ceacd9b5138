// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! yield on Tokio: 200 tasks that share out the yields.

const TASKS: u64 = 200;

async fn yield_times(times: u64) -> u64 {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
    times
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, size, || async move {
        let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(yield_times(size / TASKS))).collect();
        let mut total = 0;
        for task in tasks {
            total += task.await.expect("the task returns");
        }
        total
    });
}
