// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! fib on Tokio: one branch is spawned, the other awaited in place.

use std::future::Future;
use std::pin::Pin;

fn fib(n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let left = tokio::spawn(fib(n - 1));
        let right = fib(n - 2).await;
        left.await.expect("the branch returns") + right
    })
}

fn calls(n: u64) -> u64 {
    let (mut current, mut next) = (0, 1);
    for _ in 0..=n {
        let sum = current + next;
        current = next;
        next = sum;
    }
    2 * current - 1
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, calls(size), || fib(size));
}
