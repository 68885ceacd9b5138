// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"runtime"
	"sync"

	"weft/bench/scenario/contract"
)

const width = 100

// together waits for a hundred goroutines that yield once, by a WaitGroup.
func together(first uint64) uint64 {
	var numbers [width]uint64
	var all sync.WaitGroup
	all.Add(width)
	for i := uint64(0); i < width; i++ {
		go func(i uint64) {
			runtime.Gosched()
			numbers[i] = first + i
			all.Done()
		}(i)
	}
	all.Wait()
	sum := uint64(0)
	for _, number := range numbers {
		sum += number
	}
	return sum
}

func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, given.Size, func() uint64 {
		sum := uint64(0)
		for first := uint64(0); first < given.Size; first += width {
			sum += together(first)
		}
		return sum
	})
}
