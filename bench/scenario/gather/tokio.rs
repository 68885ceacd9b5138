// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! gather on Tokio: spawns a hundred tasks, awaits their handles in order, which is what join_all
//! of the handles comes to.

const WIDTH: u64 = 100;

async fn child(i: u64) -> u64 {
    tokio::task::yield_now().await;
    i
}

async fn together(first: u64) -> u64 {
    let handles: Vec<_> = (first..first + WIDTH).map(|i| tokio::spawn(child(i))).collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.expect("the task returns");
    }
    sum
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, size, || async move {
        let mut sum = 0;
        for first in (0..size).step_by(WIDTH as usize) {
            sum += together(first).await;
        }
        sum
    });
}
