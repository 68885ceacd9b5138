// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! gather on Tokio with a JoinSet: the results come in the order in which the tasks end.

use tokio::task::JoinSet;

const WIDTH: u64 = 100;

async fn child(i: u64) -> u64 {
    tokio::task::yield_now().await;
    i
}

async fn together(first: u64) -> u64 {
    let mut set = JoinSet::new();
    for i in first..first + WIDTH {
        set.spawn(child(i));
    }
    let mut sum = 0;
    while let Some(ended) = set.join_next().await {
        sum += ended.expect("the task returns");
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
