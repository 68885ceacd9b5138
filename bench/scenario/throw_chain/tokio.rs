// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! throw_chain on Tokio: an error that nested async functions pass on with `?`.

use std::future::Future;
use std::pin::Pin;

const LEVELS: u64 = 50_000;

type Fallible = Result<u64, Box<dyn std::error::Error + Send + Sync>>;

/// A recursive async function has to be boxed.
fn level(depth: u64) -> Pin<Box<dyn Future<Output = Fallible> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return Err("from below".into());
        }
        Ok(level(depth - 1).await? + 1)
    })
}

fn main() {
    let given = contract::parse();
    let depth = given.size;
    contract::measure_per_operation(&given, LEVELS, || async move {
        let mut levels = 0;
        while levels < LEVELS {
            levels += match level(depth).await {
                Ok(below) => below,
                Err(_) => depth,
            };
        }
        levels
    });
}
