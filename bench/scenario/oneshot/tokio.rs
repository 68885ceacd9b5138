// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! oneshot on Tokio: a spawned task answers one question, over two oneshots.

use tokio::sync::oneshot;

async fn ping_pong(i: u64) -> u64 {
    let (ask, question) = oneshot::channel::<u64>();
    let (reply, answer) = oneshot::channel::<u64>();
    tokio::spawn(async move {
        let _ = reply.send(question.await.expect("a question"));
    });
    let _ = ask.send(i);
    answer.await.expect("an answer")
}

fn main() {
    let given = contract::parse();
    let size = given.size;
    contract::measure_per_operation(&given, size, || async move {
        let mut sum = 0;
        for i in 0..size {
            sum += ping_pong(i).await;
        }
        sum
    });
}
