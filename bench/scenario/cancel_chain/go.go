// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"context"
	"runtime"
	"time"

	"weft/bench/scenario/contract"
)

const levels = 50_000

// level waits for the goroutine below it; the last one waits for the context.
func level(ctx context.Context, depth uint64, ended *uint64, begun, done chan struct{}) {
	defer close(done)
	if depth == 1 {
		close(begun)
		<-ctx.Done()
	} else {
		below := make(chan struct{})
		go level(ctx, depth-1, ended, begun, below)
		<-below
	}
	*ended++
}

func cancelOne(depth uint64, ended *uint64) time.Duration {
	ctx, cancel := context.WithCancel(context.Background())
	begun, done := make(chan struct{}), make(chan struct{})
	go level(ctx, depth, ended, begun, done)
	<-begun
	runtime.Gosched()
	start := time.Now()
	cancel()
	<-done
	return time.Since(start)
}

func main() {
	given := contract.Parse()
	for i := 0; i < given.Repeat; i++ {
		ended, total := uint64(0), time.Duration(0)
		for ended < levels {
			total += cancelOne(given.Size, &ended)
		}
		contract.Report(float64(total.Nanoseconds())/levels, "ns/op", ended, "")
	}
}
