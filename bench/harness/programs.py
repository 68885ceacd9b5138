# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""Builds the contenders, each by its language's own tool, and says which of them are there."""

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
        return self.folder / workload.name / contender

    def load_path(self, workload):
        return self.folder / workload.name / workload.load

    def is_built(self, workload, contender):
        return self.path(workload, contender).is_file()

    def compile(self, workloads, contenders):
        """Builds what `contenders` need; a part that fails is left out. Returns the log's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log_path = self.folder / "compare-build.log"
        suffixes = {w.sources[c].suffix for w in workloads for c in w.sources if c in contenders}
        with log_path.open("w", encoding="utf-8") as log:
            if suffixes & {".c", ".cpp"} or any(workload.load for workload in workloads):
                self._compile_c(log)
            if ".rs" in suffixes:
                self._compile_rust(log)
            if ".go" in suffixes:
                self._compile_go(workloads, log)
        return log_path

    def _compile_c(self, log):
        # An existing tree keeps its own settings; configuring it again looks for new contenders.
        is_new = not (self.build / "CMakeCache.txt").exists()
        preset = ["--preset", "release"] if is_new else ["-S", REPOSITORY]
        if not _run(["cmake", *preset, "-B", self.build], log, cwd=REPOSITORY):
            return
        # Ninja's -k 0 goes on after a contender that does not compile.
        _run(["cmake", "--build", self.build, "--target", "bench_scenario", "--", "-k", "0"], log)

    def _compile_rust(self, log):
        if shutil.which("cargo") is None or not any(RUST_SOURCES.glob("tokio-[0-9]*")):
            log.write("no cargo, or no sources of Tokio\n")
            return
        # The lock's format belongs to whichever cargo wrote it, and an older one refuses it.
        (plan.SCENARIO / "Cargo.lock").unlink(missing_ok=True)
        places = {"CARGO_TARGET_DIR": str(self.folder / "rust")}
        command = ["cargo", "build", "--release", "--offline"]
        _run(command, log, cwd=plan.SCENARIO, env=os.environ | places)

    def _compile_go(self, workloads, log):
        if shutil.which("go") is None:
            log.write("no go\n")
            return
        places = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOCACHE": str(self.folder / "go-cache")}
        for workload in workloads:
            for contender, source in workload.sources.items():
                if source.suffix == ".go":
                    command = ["go", "build", "-o", self.path(workload, contender), source]
                    _run(command, log, cwd=plan.SCENARIO, env=os.environ | places)
