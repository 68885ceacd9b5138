// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"errors"

	"weft/bench/scenario/contract"
)

const levels = 50_000

// level passes on the error of the one below.
func level(depth uint64) (uint64, error) {
	if depth == 0 {
		return 0, errors.New("from below")
	}
	below, err := level(depth - 1)
	if err != nil {
		return 0, err
	}
	return below + 1, nil
}

func main() {
	given := contract.Parse()
	contract.MeasurePerOperation(given, levels, func() uint64 {
		passed := uint64(0)
		for passed < levels {
			below, err := level(given.Size)
			if err != nil {
				below = given.Size
			}
			passed += below
		}
		return passed
	})
}
