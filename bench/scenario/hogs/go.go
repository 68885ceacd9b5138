// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

package main

import (
	"sort"
	"sync"
	"syscall"
	"time"

	"weft/bench/scenario/contract"
)

const headStart = 100 * time.Millisecond
const kept = 500 * time.Millisecond

func deadlineOf(start time.Time, i, size uint64) time.Time {
	place := i * 100003 % size
	return start.Add(headStart + time.Duration(place*(uint64(kept)/size)))
}

func compute(end time.Time) {
	for time.Now().Before(end) {
	}
}

// sleepAll starts a goroutine for every sleep and every hog, and returns how late each sleep was.
func sleepAll(size uint64, hogs int) []time.Duration {
	late := make([]time.Duration, size)
	var all sync.WaitGroup
	all.Add(int(size) + hogs)
	start := time.Now()
	begin := start.Add(headStart)
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	for i := uint64(0); i < size; i++ {
		go func(i uint64) {
			deadline := deadlineOf(start, i, size)
			time.Sleep(time.Until(deadline))
			late[i] = time.Since(deadline)
			all.Done()
		}(i)
	}
	go func() {
		time.Sleep(time.Until(begin))
		compute(begin.Add(kept))
		all.Done()
	}()
	for i := 1; i < hogs; i++ {
		go func() {
			time.Sleep(time.Until(begin))
			syscall.Read(pipe[0], make([]byte, 1))
			all.Done()
		}()
	}
	time.Sleep(time.Until(begin.Add(kept)))
	for i := 1; i < hogs; i++ {
		syscall.Write(pipe[1], []byte{1})
	}
	all.Wait()
	syscall.Close(pipe[0])
	syscall.Close(pipe[1])
	return late
}

func main() {
	given := contract.Parse()
	for repetition := 0; repetition < given.Repeat; repetition++ {
		late := sleepAll(given.Size, given.Workers)
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
