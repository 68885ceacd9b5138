#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""extract.py OUT PAGE...: writes each complete program of the pages to OUT.

A program is a ```cpp block with an `int main`. It becomes <page>_<number>.cpp, and what its comments
`// prints TEXT` promise, in their order, becomes <page>_<number>.expected for tools/run_example;
without such a comment it may print anything. Prints the names, as a CMake list. A file whose content
is the same is left alone, so that nothing is compiled again.
"""
import pathlib
import re
import sys

BLOCK = re.compile(r"^```cpp\n(.*?)^```", re.M | re.S)
PRINTS = re.compile(r"// prints (.*)")


def write(path, text):
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main():
    out = pathlib.Path(sys.argv[1])
    names = []
    for page in map(pathlib.Path, sys.argv[2:]):
        text = page.read_text(encoding="utf-8")
        programs = [block for block in BLOCK.finditer(text) if "int main" in block[1]]
        for number, block in enumerate(programs, 1):
            name = f"{page.stem.lower()}_{number}"
            line = text.count("\n", 0, block.start()) + 2
            expected = PRINTS.findall(block[1]) or ["~~ .*"]
            write(out / f"{name}.cpp", f'#line {line} "{page}"\n{block[1]}')
            write(out / f"{name}.expected", "\n".join(expected) + "\n")
            names.append(name)
    if len(set(names)) != len(names):
        sys.exit(f"extract.py: two pages of one name: {names}")
    print(";".join(names))


main()
