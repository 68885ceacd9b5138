// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! create_await on Tokio: spawns a task that returns its number, awaits it, spawns the next.

async fn number(i: u64) -> u64 {
    i
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, size, || async move {
        let mut sum = 0;
        for i in 0..size {
            sum += tokio::spawn(number(i)).await.expect("the task returns");
        }
        sum
    });
}
