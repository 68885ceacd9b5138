// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"context"
	"runtime"
	"time"

	"weft/bench/scenario/contract"
)

// withTimeout waits for a goroutine that yields once, for at most ten seconds.
func withTimeout(i uint64) uint64 {
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer := make(chan uint64, 1)
	go func() {
		runtime.Gosched()
		answer <- i
	}()
	select {
	case number := <-answer:
		return number
	case <-limit.Done():
		panic("not in time")
	}
}

func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, given.Size, func() uint64 {
		sum := uint64(0)
		for i := uint64(0); i < given.Size; i++ {
			sum += withTimeout(i)
		}
		return sum
	})
}
