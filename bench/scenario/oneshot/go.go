// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import "weft/bench/scenario/contract"

// pingPong starts a goroutine that answers one question, over two channels.
func pingPong(i uint64) uint64 {
	question := make(chan uint64, 1)
	answer := make(chan uint64, 1)
	go func() { answer <- <-question }()
	question <- i
	return <-answer
}

func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, given.Size, func() uint64 {
		sum := uint64(0)
		for i := uint64(0); i < given.Size; i++ {
			sum += pingPong(i)
		}
		return sum
	})
}
