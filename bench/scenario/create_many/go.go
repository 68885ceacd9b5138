// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"sync"

	"weft/bench/scenario/contract"
)

// main starts every goroutine first, waits for all of them, then adds up what they left.
func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, given.Size, func() uint64 {
		numbers := make([]uint64, given.Size)
		var all sync.WaitGroup
		all.Add(int(given.Size))
		for i := uint64(0); i < given.Size; i++ {
			go func(i uint64) {
				numbers[i] = i
				all.Done()
			}(i)
		}
		all.Wait()
		sum := uint64(0)
		for _, number := range numbers {
			sum += number
		}
		return sum
	})
}
