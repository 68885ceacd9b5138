# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""Runs the contenders of one case, one after another, and collects what they print.

The contract is in bench/scenario/contract/contract.hpp. A server prints `{"port": N}` instead and
serves until it is stopped; the workload's load generator then speaks for it.
"""

import json
import re
import resource
import select
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

TIME_LIMIT_SECONDS = 180
START_LIMIT_SECONDS = 10
PEAK_MEMORY = "peak memory"  # a metric that every process has beside those of its workload


class Failure(Exception):
    """A contender that crashed, hung, broke the contract or answered wrong."""


@dataclass
class Samples:
    """What one contender measured in one case on one number of workers."""

    units: dict = field(default_factory=dict)  # metric -> unit
    values: dict = field(default_factory=lambda: defaultdict(list))  # metric -> values
    failure: str = ""

    def add(self, lines, repeat, answer):
        """Takes over the lines of one process, without its first repetition if it made several:
        that one warms caches, pages and free lists up for the others."""
        per_repetition = len(lines) // repeat
        for line in lines:
            if line["answer"] != answer:
                raise Failure(f"wrong answer {line['answer']}, not {answer}")
        for line in lines[per_repetition if repeat > 1 else 0 :]:
            metric = line.get("metric", "")
            self.units[metric] = line["unit"]
            self.values[metric].append(float(line["value"]))

    def add_peak(self, kib):
        """Takes over the most memory that one process had resident; 0 says that nobody knows."""
        if kib > 0:
            self.units[PEAK_MEMORY] = "MiB"
            self.values[PEAK_MEMORY].append(kib / 1024)


def raise_descriptor_limit():
    """A thousand connections need more descriptors than the usual soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def parse_lines(text, repeat):
    try:
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
        complete = all({"value", "unit", "answer"} <= line.keys() for line in lines)
    except (ValueError, AttributeError) as error:
        raise Failure(f"printed something else than the contract's lines ({error})") from error
    if not complete or not lines or len(lines) % repeat != 0:
        raise Failure(f"printed {len(lines)} lines for {repeat} repetitions")
    return lines


def _finish(process, limit):
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise Failure(f"did not end within {limit} s") from error
    if process.returncode != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        raise Failure(f"ended with status {process.returncode}: {last[0]}")
    return output


def _start(command):
    return subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_program(program, run, workers):
    """Returns the lines of the program and its peak memory in KiB."""
    command = [program, "--workers", workers, "--size", run.size, "--repeat", run.repeat]
    lines = parse_lines(_finish(_start(command), TIME_LIMIT_SECONDS), run.repeat)
    return lines, int(lines[-1].get("peak_kib", 0))


def _peak_kib(pid):
    """Of a process that runs."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    peak = re.search(r"^VmHWM:\s*(\d+)", status, re.MULTILINE)
    return int(peak[1]) if peak else 0


def _read_port(server):
    ready, _, _ = select.select([server.stdout], [], [], START_LIMIT_SECONDS)
    line = server.stdout.readline() if ready else ""
    try:
        return json.loads(line)["port"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure("the server printed no port") from error


def run_server(program, load, run, workers):
    """Returns the lines of the load generator and the server's peak memory in KiB."""
    server = _start([program, "--workers", workers, "--size", run.size, "--repeat", 1])
    try:
        command = [load, "--port", _read_port(server), "--connections", run.size]
        command += ["--repeat", run.repeat, "--milliseconds", run.milliseconds]
        output = _finish(_start([*command, "--server", server.pid]), TIME_LIMIT_SECONDS)
        peak = _peak_kib(server.pid)
    finally:
        server.kill()
        server.communicate()
    return parse_lines(output, run.repeat), peak


def measure(case, contenders, workers, programs):
    """Runs each contender once a round, in an order that turns by one every round, so that a slow
    phase of the machine falls on all of them alike. Returns samples by contender."""
    samples = {contender: Samples() for contender in contenders}
    for turn in range(case.run.rounds):
        shift = turn % len(contenders)
        for contender in contenders[shift:] + contenders[:shift]:
            taken = samples[contender]
            if taken.failure:
                continue
            run = case.run_of(contender)
            program = programs.path(case.workload, contender)
            try:
                if case.workload.load:
                    load = programs.load_path(case.workload)
                    lines, peak = run_server(program, load, run, workers)
                else:
                    lines, peak = run_program(program, run, workers)
                taken.add(lines, run.repeat, run.answer)
                taken.add_peak(peak)
            except (Failure, OSError) as error:
                taken.failure = str(error)
    return samples
