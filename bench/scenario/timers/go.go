// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"sort"
	"sync"
	"time"

	"weft/bench/scenario/contract"
)

const headStart = 500 * time.Millisecond

func deadlineOf(start time.Time, i, size uint64) time.Time {
	place := i * 100003 % size
	return start.Add(headStart + time.Duration(place*1_000_000_000/size))
}

// sleepAll starts a goroutine for every sleep and returns how late each was.
func sleepAll(size uint64) []time.Duration {
	late := make([]time.Duration, size)
	var all sync.WaitGroup
	all.Add(int(size))
	start := time.Now()
	for i := uint64(0); i < size; i++ {
		go func(i uint64) {
			deadline := deadlineOf(start, i, size)
			time.Sleep(time.Until(deadline))
			late[i] = time.Since(deadline)
			all.Done()
		}(i)
	}
	all.Wait()
	return late
}

func main() {
	given := contract.Parse()
	for repetition := 0; repetition < given.Repeat; repetition++ {
		late := sleepAll(given.Size)
		answer := uint64(0)
		for _, duration := range late {
			if duration >= 0 {
				answer++
			}
		}
		sort.Slice(late, func(i, j int) bool { return late[i] < late[j] })
		contract.Report(float64(late[len(late)/2])/1e3, "us", answer, "p50")
		contract.Report(float64(late[len(late)*99/100])/1e3, "us", answer, "p99")
	}
}
