#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""compare.py SCRIPT PROGRAM: whether a program prints what its Python original prints, side by side.

Exit status 77, skipped, with a Python before 3.11, which has no timeout scopes and task groups.
"""
import itertools
import subprocess
import sys


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.version_info < (3, 11):
        print("needs Python 3.11")
        return 77
    commands = [[sys.executable, sys.argv[1]], [sys.argv[2]]]
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, text=True) for c in commands]
    outputs = [process.communicate(timeout=100)[0].splitlines() for process in running]
    width = max((len(line) for line in outputs[0]), default=0)
    for pair in itertools.zip_longest(*outputs, fillvalue=""):
        print(f"{pair[0]:{width}} | {pair[1]}{'' if pair[0] == pair[1] else '   <- differs'}")
    statuses = [process.returncode for process in running]
    if statuses != [0, 0]:
        print("exit status", *statuses)
    return 0 if outputs[0] == outputs[1] and statuses == [0, 0] else 1


if __name__ == "__main__":
    sys.exit(main())
