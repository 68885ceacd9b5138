# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""The command line of tools/compare: builds, runs, prints and stores."""

import argparse
import json
import sys
from pathlib import Path

from . import machine, plan, plot, programs, running, summary, table

DESCRIPTION = "Runs weft and every installed contender side by side and compares them."


def parse_arguments(words):
    parser = argparse.ArgumentParser(prog="tools/compare", description=DESCRIPTION)
    parser.add_argument("workloads", nargs="*", help="workloads or groups; all by default")
    parser.add_argument("--quick", action="store_true", help="a minute, for orientation only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the ratios")
    parser.add_argument("--workers", default="1,2", metavar="N,...", help="default: 1,2")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of each workload's own")
    parser.add_argument("--contenders", metavar="NAME,...", help="default: all")
    parser.add_argument("--build-dir", type=Path, default=programs.REPOSITORY / "build/release")
    parser.add_argument("--no-build", action="store_true", help="run what is built already")
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    given = parser.parse_args(words)
    try:
        given.workers = [int(word) for word in given.workers.split(",")]
    except ValueError:
        parser.error("--workers takes numbers with commas between them")
    if given.rounds is not None and given.rounds < 1:
        parser.error("--rounds takes a number from 1 on")
    return given


def print_list(workloads, groups):
    for workload in workloads:
        print(f"{workload.name:<16}{workload.about}\n{'':<16}{', '.join(workload.sources)}")
    for group in groups:
        print(f"{group.name:<16}{', '.join(group.workloads)}")


class Comparison:
    """One run of the command: what it was asked for, and what came out so far."""

    def __init__(self, given):
        self.given = given
        self.load_before = machine.load()  # before the compilers add theirs
        self.contenders = plan.load_contenders()
        self.titles = {name: c.title for name, c in self.contenders.items()}
        self.groups = plan.load_groups()
        length = "quick" if given.quick else "full"
        every = plan.load_workloads(self.contenders, length)
        self.workloads = plan.select(every, self.groups, given.workloads)
        if given.rounds is not None:
            plan.set_rounds(self.workloads, given.rounds)
        self.programs = programs.Programs(given.build_dir.resolve())
        self.wanted = self._wanted()
        self.header = {}
        self.measurements = []
        self.verdicts = []
        self.failures = []
        self.missing = {}  # contender -> labels of the workloads it is missing from

    def _wanted(self):
        if self.given.contenders is None:
            return list(self.contenders)
        names = self.given.contenders.split(",")
        unknown = [name for name in names if name not in self.contenders]
        if unknown:
            known = ", ".join(self.contenders)
            raise SystemExit(f"compare: no contender {', '.join(unknown)}; there are: {known}")
        return names

    def compile(self):
        print("building the contenders ...", flush=True)
        log = self.programs.compile(self.workloads, self.wanted)
        print(f"built; what the compilers said is in {log}\n", flush=True)

    def _present(self, workload):
        present = []
        for contender in self.wanted:
            if contender not in workload.sources:
                continue
            if self.programs.is_built(workload, contender):
                present.append(contender)
            else:
                self.missing.setdefault(contender, []).append(workload.name)
        return present

    def run(self):
        length = "quick" if self.given.quick else "full"
        self.header = machine.describe(
            self.programs.build, self.contenders, length, self.load_before
        )
        print(machine.format_header(self.header))
        print("median ± median absolute deviation; ratio to the best in the column\n", flush=True)
        running.raise_descriptor_limit()
        for workload in self.workloads:
            present = self._present(workload)
            if workload.load and not self.programs.load_path(workload).is_file():
                self.failures.append(f"{workload.name}: the load generator is not built")
            elif present:
                for case in workload.cases:
                    self._run_case(case, present)
        for group in self.groups:
            if set(group.workloads) <= {workload.name for workload in self.workloads}:
                for workers in self.given.workers:
                    self.verdicts += summary.judge_group(group, workers, self.measurements)

    def _run_case(self, case, present):
        taken = []
        for workers in self.given.workers:
            able = [c for c in present if workers == 1 or not self.contenders[c].single]
            if not able:
                continue
            samples = running.measure(case, able, workers, self.programs)
            for contender, sample in samples.items():
                if sample.failure:
                    where = f"{case.label}, {self.titles[contender]}, {workers} workers"
                    self.failures.append(f"{where}: {sample.failure}")
            measured = summary.summarise(case, workers, samples)
            self.verdicts += summary.judge_case(case, workers, measured)
            taken += measured
        self.measurements += taken
        for label in dict.fromkeys(m.label for m in taken):
            block = [m for m in taken if m.label == label]
            print(table.format_block(label, block, self.given.workers, self.titles), flush=True)
            print()

    def print_end(self):
        if self.verdicts and "weft" in self.wanted:
            print("budgets")
            print(table.format_verdicts(self.verdicts, self.titles))
        for contender, places in self.missing.items():
            needs = self.contenders[contender].needs
            print(f"missing: {self.titles[contender]} in {', '.join(places)} (not installed or not compiled: needs {needs})")
        for failure in self.failures:
            print(f"FAILED: {failure}")

    def store(self):
        if self.given.json:
            document = {
                "header": self.header,
                "measurements": [m.as_json() for m in self.measurements],
                "budgets": [verdict.as_json() for verdict in self.verdicts],
                "missing": self.missing,
                "failures": self.failures,
            }
            self.given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        if self.given.plot:
            caption = f"{self.header['processor']}, {self.header['compiler']}"
            picture = plot.render(self.measurements, self.titles, caption)
            self.given.plot.write_text(picture, encoding="utf-8")


def main(words=None):
    """Returns the exit status: 0 unless a contender failed or answered wrong."""
    given = parse_arguments(sys.argv[1:] if words is None else words)
    comparison = Comparison(given)
    if given.list:
        print_list(comparison.workloads, comparison.groups)
        return 0
    if not given.no_build:
        comparison.compile()
    comparison.run()
    comparison.print_end()
    comparison.store()
    return 1 if comparison.failures else 0
