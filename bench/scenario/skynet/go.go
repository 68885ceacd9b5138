// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import "weft/bench/scenario/contract"

// skynet sends the sum of its leaves; ten children answer over one channel.
func skynet(answer chan<- uint64, first, leaves uint64) {
	if leaves == 1 {
		answer <- first
		return
	}
	share := leaves / 10
	sums := make(chan uint64, 10)
	for i := uint64(0); i < 10; i++ {
		go skynet(sums, first+i*share, share)
	}
	total := uint64(0)
	for i := 0; i < 10; i++ {
		total += <-sums
	}
	answer <- total
}

func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, given.Size, func() uint64 {
		answer := make(chan uint64, 1)
		go skynet(answer, 0, given.Size)
		return <-answer
	})
}
