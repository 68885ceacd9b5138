// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! create_many on Tokio: spawns every task first, then awaits them in order.

async fn number(i: u64) -> u64 {
    i
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, size, || async move {
        let mut tasks = Vec::with_capacity(size as usize);
        for i in 0..size {
            tasks.push(tokio::spawn(number(i)));
        }
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("the task returns");
        }
        sum
    });
}
