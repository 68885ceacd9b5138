// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! timeout on Tokio: a timeout of ten seconds around one yield.

use std::time::Duration;

async fn suspend_once(i: u64) -> u64 {
    tokio::task::yield_now().await;
    i
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, size, || async move {
        let mut sum = 0;
        for i in 0..size {
            let limited = tokio::time::timeout(Duration::from_secs(10), suspend_once(i));
            sum += limited.await.expect("in time");
        }
        sum
    });
}
