# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""What the lints share: which files there are, C++ text without comments or strings, reporting."""
import pathlib
import re
import subprocess
import sys

CPP = (".hpp", ".cpp", ".h", ".c")

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<raw>R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<char>(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+')""",
    re.S | re.X)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


class Source:
    """One file, seen three ways, all with the same line numbers."""

    def __init__(self, root, path):
        self.path = path
        self.name = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()

        def keep_code(match):
            if match["comment"] is not None:
                return _blank(match[0])
            return match[0][0] + _blank(match[0][1:-1]) + match[0][-1]

        # A string keeps its quotes, so that `#include ""` still reads as one.
        self.code = _TOKEN.sub(keep_code, self.text)
        self.code_lines = self.code.splitlines()
        comments = [(m.start(), m[0]) for m in _TOKEN.finditer(self.text)
                    if m["comment"] is not None]
        #: (line number, text) of every comment
        self.comments = [(self.text.count("\n", 0, at) + 1, text) for at, text in comments]

    def comment_text(self):
        return "\n".join(text for _, text in self.comments)

    def includes(self):
        """(line number, target, is_system) of every include directive."""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if match:
                yield number, match[2], match[1] == "<"


def tree(root, *places, suffixes=CPP):
    """Every file below root that git tracks or would track; in a tree without git, every file."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root,
                            capture_output=True, text=True)
    top = subprocess.run(["git", "rev-parse", "--show-toplevel"], cwd=root, capture_output=True,
                         text=True).stdout.strip()
    if listed.returncode == 0 and top and pathlib.Path(top).resolve() == root.resolve():
        names = sorted(set(filter(None, listed.stdout.split("\0"))))
    else:
        names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    for name in names:
        if name.startswith("tests/lint/") or not name.endswith(tuple(suffixes)):
            continue
        if places and not any(name.startswith(place) for place in places):
            continue
        if (root / name).is_file():
            yield root / name


def sources(root, *places):
    return [Source(root, path) for path in tree(root, *places)]


class Report:
    def __init__(self):
        self.problems = []

    def add(self, name, line, message):
        self.problems.append((name, line, message))

    def finish(self, lint):
        for name, line, message in sorted(self.problems):
            print(f"{name}:{line}: [{lint}] {message}")
        return 1 if self.problems else 0


def main(lint, doc, check):
    """Entry of a lint: `tools/lint/<lint> [root]`; root is this repository unless given."""
    if any(argument in ("-h", "--help") for argument in sys.argv[1:]):
        print(doc.strip())
        sys.exit(0)
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                        pathlib.Path(__file__).parents[2]).resolve()
    report = Report()
    check(root, report)
    sys.exit(report.finish(lint))
