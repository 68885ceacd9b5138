#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""compare.py INTERPRETER [FIRST_SEED [COUNT]]: whether in random programs weft does what asyncio does, in the same order.

Of what differs the first program is made as small as it gets and shown. Exit status 77, skipped, with a Python before 3.11.
"""
import itertools
import subprocess
import sys

from interpreter import Interpreter
from programs import Generator, smaller, text

BATCH = 500


def run_in_weft(binary, programs):
    result = subprocess.run([binary], input="\n".join(map(text, programs)), stdout=subprocess.PIPE, text=True, timeout=100)
    logs = [log.splitlines() for log in result.stdout.split(".\n")[:-1]]
    # A program that ends the process has no log, and those after it none either.
    return logs + [["exit status", str(result.returncode)]] * (len(programs) - len(logs))


def run_in_python(program):
    interpreter = Interpreter(program)
    log = interpreter.run()
    return log if interpreter.is_comparable else None


def differs(binary, program):
    expected = run_in_python(program)
    return expected is not None and run_in_weft(binary, [program])[0] != expected


def reduce(binary, program):
    while True:
        for less in smaller(program):
            if differs(binary, less):
                program = less
                break
        else:
            return program


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    if sys.version_info < (3, 11):
        print("needs Python 3.11")
        return 77
    binary = sys.argv[1]
    first, count = (int(n) for n in sys.argv[2:] + ["1", "3000"][len(sys.argv) - 2:])
    compared = 0
    for begin in range(first, first + count, BATCH):
        seeds = range(begin, min(begin + BATCH, first + count))
        programs = [Generator(seed).program() for seed in seeds]
        for seed, program, log in zip(seeds, programs, run_in_weft(binary, programs)):
            expected = run_in_python(program)
            if expected is None:
                continue
            compared += 1
            if log == expected:
                continue
            program = reduce(binary, program) if differs(binary, program) else program
            print(f"seed {seed}: {text(program)}")
            expected = run_in_python(program)
            width = max(map(len, expected))
            for pair in itertools.zip_longest(expected, run_in_weft(binary, [program])[0], fillvalue=""):
                print(f"{pair[0]:{width}} | {pair[1]}{'' if pair[0] == pair[1] else '   <- differs'}")
            return 1
    print(f"{compared} of {count} programs are the same")
    return 0 if compared > count // 2 else 1


if __name__ == "__main__":
    sys.exit(main())
