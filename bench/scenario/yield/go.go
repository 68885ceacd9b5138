// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"runtime"

	"weft/bench/scenario/contract"
)

const tasks = 200

// main starts 200 goroutines that share out the yields.
func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, given.Size, func() uint64 {
		answers := make(chan uint64, tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				times := given.Size / tasks
				for j := uint64(0); j < times; j++ {
					runtime.Gosched()
				}
				answers <- times
			}()
		}
		total := uint64(0)
		for i := 0; i < tasks; i++ {
			total += <-answers
		}
		return total
	})
}
