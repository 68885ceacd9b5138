# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""Builds the contenders, each by its language's own tool, and says which of them are there: one in
Python is where the system's interpreter finds its modules.

A contender that does not compile loses the program of an earlier build, so that what runs is always
what the sources say.
"""

import os
import shutil
import subprocess
from pathlib import Path

from . import plan

REPOSITORY = plan.SCENARIO.parent.parent
RUST_SOURCES = Path("/usr/share/cargo/registry")


def _run(command, log, **options):
    """Runs a build step; its output goes to the log, its success is returned."""
    log.write(f"$ {' '.join(str(word) for word in command)}\n")
    log.flush()
    done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False, **options)
    return done.returncode == 0


class Programs:
    """The built contenders below `build`, a CMake build tree of the repository."""

    def __init__(self, build):
        self.build = build
        self.folder = build / "bench"

    def path(self, workload, contender):
        source = workload.sources[contender]
        if source.suffix == ".rs":
            return self.folder / "rust" / "release" / f"{workload.name}-{contender}"
        if source.suffix == ".py":
            return source
        return self.folder / workload.name / contender

    def load_path(self, workload):
        return self.folder / workload.name / workload.load

    def is_built(self, workload, contender):
        program = self.path(workload, contender)
        if program.suffix == ".py":
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                try:
                    return _run([program, "--help"], nowhere)
                except OSError:  # no such interpreter
                    return False
        return program.is_file()

    def compile(self, workloads, contenders):
        """Builds what `contenders` need; a part that fails is left out. Returns the log's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log_path = self.folder / "compare-build.log"
        suffixes = {w.sources[c].suffix for w in workloads for c in w.sources if c in contenders}
        with log_path.open("w", encoding="utf-8") as log:
            if suffixes & {".c", ".cpp"} or any(workload.load for workload in workloads):
                self._compile_c(workloads, log)
            if ".rs" in suffixes:
                self._compile_rust(workloads, log)
            if ".go" in suffixes:
                self._compile_go(workloads, log)
        return log_path

    def _forget(self, workloads, suffix):
        for workload in workloads:
            for contender, source in workload.sources.items():
                if source.suffix == suffix:
                    self.path(workload, contender).unlink(missing_ok=True)

    def _compile_c(self, workloads, log):
        # An existing tree keeps its own settings; configuring it again looks for new contenders.
        is_new = not (self.build / "CMakeCache.txt").exists()
        preset = ["--preset", "release"] if is_new else ["-S", REPOSITORY]
        configured = _run(["cmake", *preset, "-B", self.build], log, cwd=REPOSITORY)
        build = ["cmake", "--build", self.build, "--target"]
        wanted = [f"bench_scenario_{workload.name}" for workload in workloads]
        # Ninja's -k 0 goes on after a contender that does not compile.
        if configured and _run([*build, *wanted, "--", "-k", "0"], log):
            return
        for workload in workloads:
            programs = {c: self.path(workload, c) for c, source in workload.sources.items()
                        if source.suffix in (".c", ".cpp")}
            if workload.load:
                programs[workload.load] = self.load_path(workload)
            for name, program in programs.items():
                if not configured or not _run([*build, f"bench_{workload.name}_{name}"], log):
                    program.unlink(missing_ok=True)

    def _compile_rust(self, workloads, log):
        if shutil.which("cargo") is None or not any(RUST_SOURCES.glob("tokio-[0-9]*")):
            log.write("no cargo, or no sources of Tokio\n")
            self._forget(workloads, ".rs")
            return
        # The lock's format belongs to whichever cargo wrote it, and an older one refuses it.
        (plan.SCENARIO / "Cargo.lock").unlink(missing_ok=True)
        places = {"CARGO_TARGET_DIR": str(self.folder / "rust")}
        names = [self.path(workload, contender).name for workload in workloads
                 for contender, source in workload.sources.items() if source.suffix == ".rs"]
        command = ["cargo", "build", "--release", "--offline"]
        command += [word for name in names for word in ("--bin", name)]
        if not _run(command, log, cwd=plan.SCENARIO, env=os.environ | places):
            self._forget(workloads, ".rs")

    def _compile_go(self, workloads, log):
        self._forget(workloads, ".go")
        if shutil.which("go") is None:
            log.write("no go\n")
            return
        places = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOCACHE": str(self.folder / "go-cache")}
        for workload in workloads:
            for contender, source in workload.sources.items():
                if source.suffix == ".go":
                    command = ["go", "build", "-o", self.path(workload, contender), source]
                    _run(command, log, cwd=plan.SCENARIO, env=os.environ | places)
