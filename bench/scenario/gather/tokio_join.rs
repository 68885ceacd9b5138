// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! gather on Tokio in place: a hundred futures that are no tasks, polled by the one that awaits
//! them, as join_all of the futures crate does with few (Debian has no such crate).

use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::task::{Context, Poll};

const WIDTH: u64 = 100;

async fn child(i: u64) -> u64 {
    tokio::task::yield_now().await;
    i
}

enum MaybeDone<F: Future> {
    Pending(F),
    Done(F::Output),
}

impl<F: Future + Unpin> MaybeDone<F>
where
    F::Output: Unpin,
{
    fn is_done(&mut self, context: &mut Context<'_>) -> bool {
        if let MaybeDone::Pending(future) = self {
            match Pin::new(future).poll(context) {
                Poll::Ready(output) => *self = MaybeDone::Done(output),
                Poll::Pending => return false,
            }
        }
        true
    }
}

async fn join_all<F: Future + Unpin>(futures: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F::Output: Unpin,
{
    let mut all: Vec<_> = futures.map(MaybeDone::Pending).collect();
    poll_fn(|context| {
        let waiting = all.iter_mut().filter_map(|each| (!each.is_done(context)).then_some(()));
        match waiting.count() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    let outputs = all.into_iter().map(|each| match each {
        MaybeDone::Done(output) => output,
        MaybeDone::Pending(_) => unreachable!("all are done"),
    });
    outputs.collect()
}

async fn together(first: u64) -> u64 {
    let children = (first..first + WIDTH).map(|i| Box::pin(child(i)));
    join_all(children).await.into_iter().sum()
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
