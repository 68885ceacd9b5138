#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""depth_test.py [CONFIGURATION...]: deep chains of awaits cost no stack, whatever the compiler does.

Compiles depth_program.cpp together with the runtime for each configuration, such as `clang-O0`,
`gcc-O2` or `gcc-asan`, and runs it on workers with a 256 KiB stack. Without arguments: those in
WEFT_DEPTH (separated by spaces; `all` for every one), else both compilers at -O0.
Objects are kept in WEFT_BUILD_DIR/depth. Compilers that are not installed are skipped.
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("WEFT_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD_DIR", ROOT / "build")) / "depth"
ROOMS = ("base", "model", "trace", "queue", "park", "wheel", "ports", "task", "reactor", "sched",
         "combine", "time")
COMPILERS = {"clang": ("clang++-19", "clang++"), "gcc": ("g++",)}
FLAGS = {
    "clang": ["-fcoro-aligned-allocation", "-Wno-coro-non-aligned-allocation-function"],
    "gcc": ["-foptimize-sibling-calls"],
}
SANITIZERS = {
    ("clang", "asan"): ["-O1", "-g1", "-fsanitize=address,undefined"],
    ("clang", "tsan"): ["-O1", "-g1", "-fsanitize=thread"],
    ("gcc", "asan"): ["-O2", "-g1", "-fsanitize=address,undefined",
                      "-fno-sanitize-address-use-after-scope"],
    ("gcc", "tsan"): ["-O2", "-g1", "-fsanitize=thread",
                      "--param=tsan-instrument-func-entry-exit=0", "-Wno-tsan"],
}
ALL = [f"{c}-{level}" for c in COMPILERS for level in ("O0", "O1", "O2", "O3", "asan", "tsan")]
TIMEOUT = 120  # seconds for one run; some ten are usual
SHORT = ["clang-O0", "gcc-O0"]


def include_flags():
    flags = [f"-I{ROOT / 'include'}", f"-I{ROOT / 'runtime'}"]
    for place in ("/usr/include/concurrentqueue", "/usr/include/concurrentqueue/moodycamel"):
        if os.path.isdir(place):
            flags.append(f"-isystem{place}")
    return flags


def compile_one(command, source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and "ccache" not in command[0]:
        target.unlink()
    result = subprocess.run([*command, "-c", str(source), "-o", str(target)], capture_output=True,
                            text=True, check=False)
    return result.returncode, result.stderr


def build(name):
    family, level = name.split("-")
    compiler = next(filter(shutil.which, COMPILERS[family]), None)
    if compiler is None:
        return None, "not installed"
    level_flags = SANITIZERS.get((family, level)) or [f"-{level}"]
    flags = ["-std=c++23", "-pthread", *FLAGS[family], *level_flags, *include_flags()]
    ccache = [shutil.which("ccache")] if shutil.which("ccache") else []
    sources = [source for room in ROOMS for source in sorted((ROOT / "runtime" / room).glob("*.cpp"))]
    sources.append(ROOT / "tests" / "integration" / "depth_program.cpp")
    objects = [BUILD / name / (source.parent.name + "_" + source.stem + ".o") for source in sources]
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        for code, errors in pool.map(compile_one, [[*ccache, compiler, *flags]] * len(sources),
                                     sources, objects):
            if code != 0:
                return None, errors
    program = BUILD / name / "depth_program"
    link = subprocess.run([compiler, "-pthread", *level_flags, *map(str, objects), "-o", str(program)],
                          capture_output=True, text=True, check=False)
    return (program, "") if link.returncode == 0 else (None, link.stderr)


def run(name, program):
    # Sanitizers multiply time and memory: a tenth of the depth overflows 256 KiB just as surely.
    arguments = ["10"] if name.endswith("san") else []
    try:
        return subprocess.run([str(program), *arguments], capture_output=True, text=True,
                              check=False, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode()
        return subprocess.CompletedProcess(late.cmd, "the timeout", output, "")


def main():
    names = sys.argv[1:] or os.environ.get("WEFT_DEPTH", "").split() or SHORT
    if names == ["all"]:
        names = ALL
    failed = []
    for name in names:
        program, errors = build(name)
        if program is None:
            print(f"{name}: {'skipped, ' if errors == 'not installed' else ''}{errors}", flush=True)
            if errors != "not installed":
                failed.append(name)
            continue
        result = run(name, program)
        good = result.returncode == 0
        print(f"{name}: {'ok' if good else f'FAILED with {result.returncode}'}", flush=True)
        if not good:
            print(result.stdout[-3000:] + result.stderr[-6000:], flush=True)
            failed.append(name)
    return 1 if failed else 0


sys.exit(main())
