// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Package contract is the contract between the harness and a contender written in Go: see
// contract.hpp.
package contract

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Arguments are what the harness asks of a contender.
type Arguments struct {
	Workers int
	Size    uint64
	Repeat  int
}

// Parse reads the arguments and limits the scheduler to that many workers.
func Parse() Arguments {
	var given Arguments
	flag.IntVar(&given.Workers, "workers", 1, "threads that run goroutines")
	flag.Uint64Var(&given.Size, "size", 0, "size of the workload")
	flag.IntVar(&given.Repeat, "repeat", 1, "repetitions")
	flag.Parse()
	runtime.GOMAXPROCS(given.Workers)
	return given
}

// peakKiB is the most memory that this process had resident so far; 0 where that is not known.
func peakKiB() uint64 {
	status, _ := os.ReadFile("/proc/self/status")
	var peak uint64
	if _, rest, found := strings.Cut(string(status), "VmHWM:"); found {
		fmt.Sscan(rest, &peak)
	}
	return peak
}

// Report prints one measured value; metric is empty where a repetition measures one thing only.
func Report(value float64, unit string, answer uint64, metric string) {
	fmt.Printf("{\"value\": %.6f, \"unit\": %q, \"answer\": %d, \"peak_kib\": %d",
		value, unit, answer, peakKiB())
	if metric != "" {
		fmt.Printf(", \"metric\": %q", metric)
	}
	fmt.Println("}")
}

// MeasurePerOperation runs body once per repetition and reports nanoseconds per operation.
func MeasurePerOperation(given Arguments, operations uint64, body func() uint64) {
	for i := 0; i < given.Repeat; i++ {
		start := time.Now()
		answer := body()
		Report(float64(time.Since(start).Nanoseconds())/float64(operations), "ns/op", answer, "")
	}
}
