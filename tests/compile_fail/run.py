#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""run.py FILE COMPILER FLAGS...: FILE must not compile, for the reason it names.

FILE holds at least one line `// expect: <regular expression>`; each must match the compiler's
diagnostics. So that no misspelt include passes for success, FILE must compile once WEFT_CONTROL is
defined: the wrong lines, and nothing else, stand under `#ifndef WEFT_CONTROL`. A line
`// flags: ...` adds flags to both; `// only: clang` is read by CMakeLists.txt.
"""
import re
import subprocess
import sys


def compile_once(source, command, *extra):
    result = subprocess.run([*command, *extra, "-fsyntax-only", source], capture_output=True,
                            text=True)
    return result.returncode, result.stderr


def main():
    source, command = sys.argv[1], sys.argv[2:]
    text = open(source, encoding="utf-8").read()
    expected = re.findall(r"^// expect: (.+)$", text, re.M)
    if not expected or "WEFT_CONTROL" not in text:
        sys.exit(f"{source}: needs `// expect:` and a part under `#ifndef WEFT_CONTROL`")

    for flags in re.findall(r"^// flags: (.+)$", text, re.M):
        command += flags.split()
    code, diagnostics = compile_once(source, command, "-DWEFT_CONTROL")
    if code != 0:
        sys.exit(f"{source}: does not compile without its wrong line either:\n{diagnostics}")
    code, diagnostics = compile_once(source, command)
    if code == 0:
        sys.exit(f"{source}: compiles, but must not")
    for pattern in expected:
        if not re.search(pattern, diagnostics):
            sys.exit(f"{source}: no diagnostic matches /{pattern}/:\n{diagnostics}")


main()
