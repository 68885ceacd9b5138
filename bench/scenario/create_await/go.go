// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import "weft/bench/scenario/contract"

// main starts a goroutine that sends its number, receives it, starts the next.
func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, given.Size, func() uint64 {
		sum := uint64(0)
		for i := uint64(0); i < given.Size; i++ {
			answer := make(chan uint64, 1)
			go func(i uint64) { answer <- i }(i)
			sum += <-answer
		}
		return sum
	})
}
