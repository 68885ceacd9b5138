# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""The contract between the harness and a contender written in Python: see contract.hpp."""

import argparse
import asyncio
import json
import re
import time
from pathlib import Path

import uvloop


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, choices=[1], default=1)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--repeat", type=int, default=1)
    return parser.parse_args()


def runner():
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def peak_kib():
    """The most memory that this process had resident so far; 0 where that is not known."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    peak = re.search(r"^VmHWM:\s*(\d+)", status, re.MULTILINE)
    return int(peak[1]) if peak else 0


def report(value, unit, answer):
    line = {"value": value, "unit": unit, "answer": answer, "peak_kib": peak_kib()}
    print(json.dumps(line), flush=True)


def measure_per_operation(given, operations, body):
    """Runs the coroutine function `body` once per repetition, each on a loop of its own, and
    reports nanoseconds per operation."""
    for _ in range(given.repeat):
        with runner() as loop:
            start = time.perf_counter_ns()
            answer = loop.run(body(given.size))
            report((time.perf_counter_ns() - start) / operations, "ns/op", answer)
