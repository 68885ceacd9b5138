// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! skynet on Tokio: ten spawned children, awaited in order.

use std::future::Future;
use std::pin::Pin;

fn skynet(first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let share = leaves / 10;
        let mut children = Vec::with_capacity(10);
        for i in 0..10 {
            children.push(tokio::spawn(skynet(first + i * share, share)));
        }
        let mut total = 0;
        for child in children {
            total += child.await.expect("the child returns");
        }
        total
    })
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, size, || skynet(0, size));
}
