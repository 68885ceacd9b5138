// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"sync"

	"weft/bench/scenario/contract"
)

// fib runs one branch in a goroutine and the other in the caller.
func fib(n uint64) uint64 {
	if n < 2 {
		return n
	}
	var left uint64
	var join sync.WaitGroup
	join.Add(1)
	go func() {
		left = fib(n - 1)
		join.Done()
	}()
	right := fib(n - 2)
	join.Wait()
	return left + right
}

func calls(n uint64) uint64 {
	current, next := uint64(0), uint64(1)
	for i := uint64(0); i <= n; i++ {
		current, next = next, current+next
	}
	return 2*current - 1
}

func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, calls(given.Size), func() uint64 { return fib(given.Size) })
}
