// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import "weft/bench/scenario/contract"

// link starts the next goroutine and ends; the last one answers.
func link(left, passed uint64, done chan<- uint64) {
	if left == 0 {
		done <- passed
	} else {
		go link(left-1, passed+1, done)
	}
}

func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, given.Size, func() uint64 {
		done := make(chan uint64, 1)
		link(given.Size, 0, done)
		return <-done
	})
}
