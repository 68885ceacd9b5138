#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""Proves that weft can be used by someone who has only what `cmake --install` leaves behind."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def run(*command, **options):
    command = [str(part) for part in command]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            **options)
    if result.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{result.stdout}")
    return result.stdout


def expect_greeting(program):
    output = run(program)
    if output != "weft works\n":
        sys.exit(f"{program} printed {output!r}")


def install(options, work):
    """Installs, then moves the tree: what was installed must not know where it lies."""
    run(options.cmake, "--install", options.build, "--prefix", work / "staging")
    (work / "staging").rename(work / "prefix")
    return work / "prefix"


def configure_and_build(options, work, *arguments):
    run(options.cmake, "-S", HERE / "consumer", "-B", work / "build",
        "-G", options.generator,
        "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CXX_COMPILER={options.compiler}", *arguments)
    run(options.cmake, "--build", work / "build", "-j2")
    expect_greeting(work / "build" / "consumer")


def find_package(options, work):
    prefix = install(options, work)
    configure_and_build(options, work, f"-DCMAKE_PREFIX_PATH={prefix}")


def pkg_config(options, work):
    program = shutil.which("pkg-config")
    if program is None:
        print("pkg-config is not installed")
        sys.exit(SKIPPED)
    prefix = install(options, work)
    places = [str(path.parent) for path in prefix.rglob("weft.pc")]
    environment = dict(os.environ, PKG_CONFIG_PATH=":".join(places))
    flags = run(program, "--cflags", "--libs", "weft", env=environment).split()
    run(options.compiler, "-std=c++23", HERE / "consumer" / "main.cpp", "-o", work / "consumer",
        *flags)
    expect_greeting(work / "consumer")


def subdirectory_shared(options, work):
    configure_and_build(options, work, f"-DWEFT_SOURCE={options.source}", "-DBUILD_SHARED_LIBS=ON",
                        "-DWEFT_CCACHE=ON")


def main():
    ways = {way.__name__: way for way in (find_package, pkg_config, subdirectory_shared)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=ways)
    for name in ("--build", "--source", "--cmake", "--generator", "--compiler"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        ways[options.way](options, pathlib.Path(work))


main()
