// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! chained_spawn on Tokio: each task spawns the next and ends; the last one answers by a oneshot.

use tokio::sync::oneshot;

fn link(left: u64, passed: u64, done: oneshot::Sender<u64>) {
    if left == 0 {
        let _ = done.send(passed);
    } else {
        tokio::spawn(async move { link(left - 1, passed + 1, done) });
    }
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, size, || async move {
        let (done, answer) = oneshot::channel();
        link(size, 0, done);
        answer.await.expect("the last task answers")
    });
}
