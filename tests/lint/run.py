#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""Tests of the lints: each must flag exactly the marked lines of its small bad tree.

tests/lint/<lint>/ is a tree with mistakes, laid out like the repository; expected.txt lists
`file:line` of each. tests/lint/corolint/ has bad.cpp, whose lines marked `// bad` must be flagged,
and good.cpp, where nothing may be.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LINTS = HERE.parents[1] / "tools" / "lint"
SKIPPED = 77


def flagged_by(lint, *arguments, cwd=None):
    result = subprocess.run([sys.executable, LINTS / lint, *arguments], capture_output=True,
                            text=True, cwd=cwd)
    if result.returncode not in (0, 1, SKIPPED):
        sys.exit(f"{lint} ended with {result.returncode}:\n{result.stderr}")
    return result, set(re.findall(r"^([^\s:]+:\d+): \[", result.stdout, re.M))


def compare(what, expected, flagged, output):
    for place in sorted(expected - flagged):
        print(f"{what}: {place} was not flagged")
    for place in sorted(flagged - expected):
        print(f"{what}: {place} was flagged, but is right")
    if expected != flagged:
        print(output)
    return expected == flagged


def test_tree(folder):
    expected = set((folder / "expected.txt").read_text().split())
    result, flagged = flagged_by(folder.name, str(folder))
    return compare(folder.name, expected, flagged, result.stdout)


def test_corolint(folder):
    lines = (folder / "bad.cpp").read_text().splitlines()
    expected = {f"bad.cpp:{number}" for number, line in enumerate(lines, 1)
                if line.endswith("// bad")}
    result, flagged = flagged_by("corolint", "bad.cpp", "good.cpp", cwd=folder)
    if result.returncode == SKIPPED:
        print(result.stdout.strip())
        return True
    return compare("corolint", expected, flagged, result.stdout)


def main():
    folders = sorted(path for path in HERE.iterdir() if path.is_dir())
    results = [test_corolint(folder) if folder.name == "corolint" else test_tree(folder)
               for folder in folders]
    print(f"lint tests: {sum(results)} of {len(results)} as expected")
    return 0 if results and all(results) else 1


sys.exit(main())
