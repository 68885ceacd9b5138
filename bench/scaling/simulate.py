# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""What the scheduler would do on more cores than there are: runs the simulator and prints tables.

    python3 bench/scaling/simulate.py                        every workload, 1 to 256 workers
    python3 bench/scaling/simulate.py --workers 2,4,...,256 --workload fib,echo
    python3 bench/scaling/simulate.py --variants             what a changed rule would gain
    python3 bench/scaling/simulate.py --near --seeds 5       what nearness would gain, and the noise
    python3 bench/scaling/simulate.py --sensitivity          what the assumed costs decide
    python3 bench/scaling/simulate.py --profile vm           the costs of the machine of docs/scaling.md
    python3 bench/scaling/simulate.py --plot docs/figures    all of it, as pictures
    NAME=VALUE                                               any cost or switch of costs.hpp

The simulator is built on first use with $CXX, clang++-19 or c++; $WEFT_SIMULATOR names a built one.
The same arguments give the same numbers on every machine.
"""

import argparse
import dataclasses
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKLOADS = ("fib", "uneven", "tiny", "large", "burst", "inject", "ping", "echo", "echo_busy")
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# Where the length of a burst is what counts, and not how many tasks a second there are.
BURSTS = ("burst", "inject")
PROFILES = {
    "server": (),
    "vm": (
        "line_near=120", "line_far=120", "wake_call=16000", "wake_latency=25000",
        "ipi_wait=18000", "ipi_taken=3000",
    ),
}

# Each with what it is compared to: nothing, or the rules that it only makes sense with.
PROPOSED = ("steal_fence=2", "park_fence=1", "search_add=1", "announce_first=1", "idle_groups=1")
VARIANTS = {
    "steal by request, no membarrier": ("steal_fence=2",),
    "the owner's pop fences": ("steal_fence=1",),
    "a thief goes on while another is in a membarrier": ("thief_yields=1",),
    "a steal takes up to 4 forks": ("steal_forks=4",),
    "notifiers fence, parkers need no membarrier": ("park_fence=1",),
    "neither thief nor parker needs a membarrier": ("steal_fence=2", "park_fence=1"),
    "begin_search adds instead of compare-exchange": ("search_add=1",),
    "at most 8 searchers": ("search_limit=8",),
    "a when_all calls only if nothing was offered": ("announce_first=1",),
    "searchers and idle bits on two lines": ("split_idle=1",),
    "an idle set for each L3": ("idle_groups=1",),
    "up to 4 wake-ups at a time": ("wake_width=4",),
    "victims of the own L3 first": ("near_first=1",),
    "at most 8 victims before the last pass": ("probe_limit=8",),
    "a hint before a peer's shard is locked": ("drive_hint=1",),
    "no peer's shard is driven": ("drive_peers=0",),
    "8 injected at once": ("inject_batch=8",),
    "lists of live tasks without bias": ("plain_registry=1",),
    "no lingering": ("linger=0",),
    "membarriers in parallel (before Linux 6.8)": ("membarrier_serial=0",),
    "proposed": PROPOSED,
    "proposed, 4 wake-ups at a time": (*PROPOSED, "wake_width=4"),
    "proposed, with hint": (*PROPOSED, "drive_hint=1"),
    "proposed, but membarrier for thieves": ("park_fence=1", "search_add=1", "announce_first=1",
                                             "idle_groups=1"),
    "proposed, but membarrier for parkers": ("steal_fence=2", "search_add=1", "announce_first=1",
                                             "idle_groups=1"),
    "proposed, but compare-exchange": ("steal_fence=2", "park_fence=1", "announce_first=1",
                                       "idle_groups=1"),
    "proposed, but every when_all looks": ("steal_fence=2", "park_fence=1", "search_add=1",
                                           "idle_groups=1"),
    "proposed, but one idle set": ("steal_fence=2", "park_fence=1", "search_add=1",
                                   "announce_first=1"),
}
# What the runtime has of them by now, and what it could do with the L3 that a worker is at.
BY_NOW = ("announce_first=1", "park_fence=2", "search_add=1", "thief_yields=1")
NEAR = {
    "without search_add and thief_yields": ("search_add=0", "thief_yields=0"),
    "begin_search takes back what exceeds the bound": ("search_add=2",),
    "near victims first": ("near_first=1",),
    "near victims first, in the first pass": ("near_first=2",),
    "near victims first, seven times in eight": ("near_first=1", "near_chance=0.875"),
    "near victims first, one time in two": ("near_first=1", "near_chance=0.5"),
    "near victims first, one time in four": ("near_first=1", "near_chance=0.25"),
    "near victims with at least 2 items first": ("near_first=1", "near_least=2"),
    "near victims with at least 4 items first": ("near_first=1", "near_least=4"),
    "near ready queues first": ("near_ready=1",),
    "near ready queues with at least 2 first": ("near_ready=2",),
    "the same, seven times in eight": ("near_ready=2", "near_chance=0.875"),
    "near ready queues with at least 8 first": ("near_ready=8",),
    "near workers are woken first": ("wake_near=1",),
    "near ready queues with 2, near workers woken": ("near_ready=2", "wake_near=1"),
    "an idle set for each L3": ("idle_groups=1",),
    "an idle set for each L3, near ready queues": ("idle_groups=1", "near_ready=2",
                                                   "near_chance=0.875"),
}
# Costs that were not measured: half and double, or what else is plausible.
SENSITIVITY = {
    "ipi_lines": (0.4, 4),
    "ipi_wait": (600, 18000),
    "ipi_taken": (400, 3000),
    "membarrier_scan": (0.5, 10),
    "wake_latency": (2000, 50000),
    "wake_call": (800, 16000),
    "line_far": (50, 200),
    "line_remote": (110, 400),
    "read_share": (0.0, 0.25),
    "first_share": (0.2, 1.0),
    "store_share": (0.05, 1.0),
    "probe": (2, 15),
    "answer_wait": (250, 2000),
}


class SimulationFailed(Exception):
    """The simulator was refused its arguments, or tasks were lost."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What the simulator said of one run."""

    workload: str
    workers: int
    numbers: dict

    @property
    def speed_up_base(self):
        """Tasks a nanosecond; for bursts, tasks a nanosecond while one is being run."""
        if self.workload in BURSTS:
            return self.workers / max(self.numbers["p50"], 1)
        return self.numbers["ran"] / max(self.numbers["time"], 1)

    def share(self, kind):
        spent = self.numbers["spent"]
        return spent[kind] / max(sum(spent.values()), 1)

    def per_task(self, name):
        return self.numbers[name] / max(self.numbers["ran"], 1)


def build_simulator():
    """The path of an up-to-date simulator."""
    if given := os.environ.get("WEFT_SIMULATOR"):
        return Path(given)
    target = HERE.parents[1] / "build" / "scaling" / "simulator"
    sources = [path for path in sorted(HERE.glob("*.[ch]pp"))
               if path.stem not in ("measure_costs", "observe")]
    newest = max(path.stat().st_mtime for path in sources)
    if target.exists() and target.stat().st_mtime > newest:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CXX") or shutil.which("clang++-19") or "c++"
    units = [str(path) for path in sources if path.suffix == ".cpp"]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / "simulator"
        subprocess.run([compiler, "-std=c++23", "-O2", "-o", str(fresh), *units], check=True)
        fresh.replace(target)
    return target


class Simulator:
    """Runs the program, once for each set of arguments."""

    def __init__(self, path, settings=(), seed=1):
        self._path = path
        self._settings = tuple(settings)
        self._seed = seed
        self._known = {}

    def run(self, workload, workers, *settings, seed=None):
        key = (workload, workers, settings, seed or self._seed)
        if key not in self._known:
            self._known[key] = self._start(*key)
        return self._known[key]

    def _start(self, workload, workers, settings, seed):
        command = [str(self._path), "--workload", workload, "--workers", str(workers), "--seed",
                   str(seed), *self._settings, *settings]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise SimulationFailed(f"{' '.join(command)}: {ended.stderr or ended.stdout}")
        return Run(workload, workers, json.loads(ended.stdout))

    def speed_up(self, workload, workers, *settings):
        """Over one worker under today's rules."""
        base = self.run(workload, 1).speed_up_base
        return self.run(workload, workers, *settings).speed_up_base / base


def parse_counts(text):
    """`1,2,...,16` doubles from the last number on."""
    counts = []
    words = text.split(",")
    for i, word in enumerate(words):
        if word == "...":
            while counts[-1] * 2 < int(words[i + 1]):
                counts.append(counts[-1] * 2)
        else:
            counts.append(int(word))
    return counts


def print_curves(simulator, workloads, counts):
    print(f"{'workload':10}{'workers':>8}{'ms':>9}{'speed-up':>9}{'p50 us':>9}{'p99 us':>9}"
          f"{'wakes/t':>9}{'searches/t':>11}{'probes/t':>9}{'barriers/t':>11}  where time goes")
    for workload in workloads:
        for workers in counts:
            run = simulator.run(workload, workers)
            numbers = run.numbers
            kinds = sorted(numbers["spent"], key=run.share, reverse=True)
            shares = " ".join(f"{kind} {100 * run.share(kind):.0f}%" for kind in kinds
                              if run.share(kind) >= 0.02)
            print(f"{workload:10}{workers:8}{numbers['time'] / 1e6:9.3f}"
                  f"{simulator.speed_up(workload, workers):9.2f}{numbers['p50'] / 1e3:9.1f}"
                  f"{numbers['p99'] / 1e3:9.1f}{run.per_task('wakes'):9.4f}"
                  f"{run.per_task('searches'):11.4f}{run.per_task('probes'):9.3f}"
                  f"{run.per_task('barriers'):11.5f}  {shares}", flush=True)


def print_variants(simulator, workloads, counts):
    """How many times faster than today's rules; for `echo` how many times shorter the 99th
    percentile of the latency."""
    for workers in counts:
        print(f"\n{workers} workers{'':42}" + "".join(f"{name:>10}" for name in workloads))
        for title, settings in VARIANTS.items():
            gains = [gain(simulator, name, workers, settings) for name in workloads]
            print(f"{title:52}" + "".join(f"{value:10.2f}" for value in gains), flush=True)


def print_near(simulator, workloads, counts, seeds):
    """The same over the rules of today, with the standard error of the mean."""
    for workers in counts:
        print(f"\n{workers} workers, {seeds} seeds{'':29}" +
              "".join(f"{name:>13}" for name in workloads))
        for title, settings in NEAR.items():
            cells = []
            for name in workloads:
                gains = [math.log(gain(simulator, name, workers, settings, BY_NOW, seed))
                         for seed in range(1, seeds + 1)]
                error = statistics.stdev(gains) / math.sqrt(seeds) if seeds > 1 else 0
                cells.append(f"{math.exp(statistics.mean(gains)):8.2f} ±{error:.2f}")
            print(f"{title:48}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def gain(simulator, workload, workers, settings, before=(), seed=None):
    now = simulator.run(workload, workers, *before, seed=seed)
    then = simulator.run(workload, workers, *before, *settings, seed=seed)
    if workload.startswith("echo"):
        return now.numbers["p99"] / max(then.numbers["p99"], 1)
    return then.speed_up_base / now.speed_up_base


def print_sensitivity(simulator, workloads, counts):
    for workers in counts:
        print(f"\n{workers} workers: speed-up today / proposed")
        print(f"{'':26}" + "".join(f"{name:>18}" for name in workloads))
        cases = [("as assumed", ())]
        cases += [(f"{name} = {value:g}", (f"{name}={value}",))
                  for name, values in SENSITIVITY.items() for value in values]
        for title, settings in cases:
            cells = []
            for name in workloads:
                base = simulator.run(name, 1, *settings).speed_up_base
                pair = [simulator.run(name, workers, *settings, *rules).speed_up_base / base
                        for rules in ((), PROPOSED)]
                cells.append(f"{pair[0]:.1f} / {pair[1]:.1f}")
            print(f"{title:26}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=parse_counts, default=None)
    parser.add_argument("--workload", default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", choices=PROFILES, default="server")
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--near", action="store_true")
    parser.add_argument("--seeds", type=int, default=1, help="for --near: how many")
    parser.add_argument("--sensitivity", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="FOLDER")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    given = parser.parse_args(arguments)
    workloads = WORKLOADS if given.workload == "all" else given.workload.split(",")
    simulator = Simulator(build_simulator(), (*PROFILES[given.profile], *given.settings),
                          given.seed)
    few = given.workers or (16, 64, 256)
    try:
        if given.variants:
            print_variants(simulator, workloads, few)
        if given.near:
            print_near(simulator, workloads, few, given.seeds)
        if given.sensitivity:
            print_sensitivity(simulator, workloads, few)
        if given.plot:
            import figures  # beside this file

            figures.write(simulator, given.plot)
        if not (given.variants or given.near or given.sensitivity or given.plot):
            print_curves(simulator, workloads, given.workers or COUNTS)
    except SimulationFailed as failure:
        print(f"simulate.py: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
