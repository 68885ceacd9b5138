#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""instruction_test.py [--update]: what the hot paths cost, in instructions, against what is on record.

Runs instruction_program under callgrind with two counts for each operation; the difference is the
price of one, which does not depend on the machine's load. It may leave the figure on record, in
instruction_counts.json, by TOLERANCE either way: a path that became dearer is to be explained, one
that became cheaper is to be put on record (--update). The figures hold for the release preset and
the compiler that they name; elsewhere, or without valgrind, the test is skipped (status 77).
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE / "instruction_counts.json"
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD_DIR", HERE.parents[1] / "build" / "release"))
TOLERANCE = 0.06
FEW, MANY = 2000, 6000
SKIPPED = 77


def compiler_of(build):
    cache = (build / "CMakeCache.txt").read_text()
    path = re.search(r"^CMAKE_CXX_COMPILER:[A-Z]+=(.*)$", cache, re.M).group(1)
    return subprocess.run([path, "--version"], capture_output=True, text=True,
                          check=True).stdout.splitlines()[0]


def count(program, operation, times):
    result = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                             str(program), operation, str(times)],
                            capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or collected is None:
        raise SystemExit(f"{operation}: callgrind failed:\n{result.stderr[-2000:]}")
    return int(collected.group(1))


def main():
    record = json.loads(RECORD.read_text())
    program = BUILD / "tests" / "instruction_program"
    compiler = compiler_of(BUILD)
    if not shutil.which("valgrind") or not shutil.which("objcopy") or not program.exists():
        print("skipped: no valgrind, no objcopy, or no instruction_program")
        return SKIPPED
    if record["compiler"] not in compiler or BUILD.name != "release":
        print(f"skipped: the record is for {record['compiler']} in release, this is {compiler}")
        return SKIPPED
    wrong = []
    with tempfile.TemporaryDirectory() as place:
        # valgrind 3.19 gives up on clang 19's debug information.
        plain = pathlib.Path(place) / "instruction_program"
        subprocess.run(["objcopy", "-g", str(program), str(plain)], check=True)
        for operation, expected in record["instructions"].items():
            found = (count(plain, operation, MANY) - count(plain, operation, FEW)) / (MANY - FEW)
            change = found / expected - 1 if expected else 1.0
            print(f"{operation:14} {found:8.1f} instructions, on record {expected}, {change:+.1%}")
            if abs(change) > TOLERANCE:
                wrong.append(operation)
            record["instructions"][operation] = round(found)
    if sys.argv[1:] == ["--update"]:
        RECORD.write_text(json.dumps(record, indent=4) + "\n")
        return 0
    if wrong:
        print("not as on record: " + ", ".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
