#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""run_tests.py BUILD_DIR PRESET [ctest arguments]: runs ctest and counts test cases.

A Catch2 executable is one ctest test but many test cases: its main leaves their number in a file of
its own name in the directory that WEFT_TEST_COUNTS_DIR names. A test without such a file counts as
one. A test that ctest calls
failed (a crash, a leak report, a timeout) counts as at least one failure. The last line printed
reads `N passed, N failed`.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml


def count(case, counts_dir):
    """(passed, failed) test cases of one <testcase> of ctest's JUnit report."""
    status = case.get("status")
    if status in ("disabled", "notrun") and case.find("skipped") is not None:
        return 0, 0
    ok = status == "run"
    counts = counts_dir / case.get("name")
    if not counts.exists():
        return (1, 0) if ok else (0, 1)
    passed, failed = map(int, counts.read_text().split())
    if not ok and failed == 0:
        failed = 1
    return passed, failed


def main():
    build, preset, arguments = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3:]
    if preset == "model":
        arguments = ["-L", "model", *arguments]
    counts_dir = build / "test_counts"
    shutil.rmtree(counts_dir, ignore_errors=True)
    counts_dir.mkdir()
    report = build / "test_report.xml"
    report.unlink(missing_ok=True)
    code = subprocess.call(
        ["ctest", "--output-on-failure", "-j", str(os.cpu_count() or 1), "--output-junit",
         str(report), *arguments],
        cwd=build, env=dict(os.environ, WEFT_TEST_COUNTS_DIR=str(counts_dir)))
    passed = failed = 0
    if report.exists():
        for case in xml.parse(report).getroot().iter("testcase"):
            case_passed, case_failed = count(case, counts_dir)
            if case_failed:
                print(f"FAILED: {case.get('name')} ({case_failed})")
            passed, failed = passed + case_passed, failed + case_failed
    if code != 0 and failed == 0:
        print(f"ctest ended with {code}")
        failed = 1
    if passed + failed == 0:
        print("no test was run")
        failed = 1
    sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
