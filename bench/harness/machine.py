# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""What the figures depend on beside the code: machine, compilers, versions, commit."""

import os
import platform
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from . import programs


def _output(*command):
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor():
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def _from_cache(build, name):
    try:
        lines = (build / "CMakeCache.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split("=", 1)[1] for line in lines if line.startswith(f"{name}:")), "")


def _commit():
    git = ("git", "-C", str(programs.REPOSITORY))
    commit = _output(*git, "rev-parse", "--short=12", "HEAD")
    changed = _output(*git, "status", "--porcelain", "--untracked-files=no", "--", "include",
                      "runtime", "bench")
    return f"{commit} with local changes" if changed else commit


def _versions(contenders):
    query = ("dpkg-query", "-W", "-f", "${Version}")
    return {c.name: _output(*query, c.package) for c in contenders.values() if c.package}


def load():
    return round(os.getloadavg()[0], 2)


def describe(build, contenders, length, load_before):
    compiler = _from_cache(build, "CMAKE_CXX_COMPILER")
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "length": length,
        "commit": _commit(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_before": load_before,
        "compiler": _output(compiler, "--version").partition("\n")[0] if compiler else "",
        "flags": _from_cache(build, "CMAKE_CXX_FLAGS_RELEASE"),
        "rust": _output("rustc", "--version"),
        "versions": _versions(contenders),
    }


def format_header(header):
    lines = [
        f"{header['processor']}, {header['cores']} cores, Linux {header['kernel']}",
        f"{header['compiler'] or 'unknown compiler'} {header['flags']}".rstrip(),
        f"commit {header['commit'] or 'unknown'}, {header['length']} run of {header['date']}",
    ]
    if header["load_before"] > 0.5:
        lines.append(f"note: the machine was not idle (load {header['load_before']})")
    return "\n".join(lines)
