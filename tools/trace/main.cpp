// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// weft-trace: records the tasks of a weft program and shows what they did. See docs/tracing.md.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "commands.hpp"

namespace weft::tracetool {

namespace {

constexpr const char* usage =
    "usage: weft-trace <command> [options]\n"
    "\n"
    "  record [-o file] [-l tasks|full|inline] [-r KiB] [-c ticks|monotonic] -- program [args]\n"
    "        run a program with tracing on (default file: weft.wtrace)\n"
    "  summary file\n"
    "        tasks, delays by coroutine type, waits, workers, losses\n"
    "  dump [-n count] file\n"
    "        one line for each record, in the order of time\n"
    "  export --to perfetto [-o out] file\n"
    "        a file for ui.perfetto.dev (default: file.perfetto-trace)\n"
    "\n"
    "A program needs no change: the runtime reads WEFT_TRACE=<file> and WEFT_TRACE_LEVEL.\n";

struct command {
    const char* name;
    int (*run)(int argc, char** argv);
};

constexpr command commands[] = {
    {"record", run_record},
    {"summary", run_summary},
    {"dump", run_dump},
    {"export", run_export},
};

}  // namespace

int fail(const std::string& sentence, int status) {
    std::fprintf(stderr, "weft-trace: %s\n", sentence.c_str());
    return status;
}

bool open_operand(int argc, char** argv, int first, trace::trace_file& file) {
    if (argc - first != 1) {
        fail(first >= argc ? "which file? Give the name of a .wtrace file" : "one file at a time");
        return false;
    }
    auto opened = trace::trace_file::open(argv[first]);
    if (!opened) {
        fail(opened.error());
        return false;
    }
    file = std::move(*opened);
    if (file.damaged_chunks > 0) {
        fail("warning: " + std::to_string(file.damaged_chunks) + " damaged parts were skipped (" +
             std::to_string(file.unread_bytes) + " bytes)");
    } else if (!file.complete) {
        fail("warning: the recording was not ended in order; the last " +
             std::to_string(file.unread_bytes) + " bytes are no whole chunk");
    }
    return true;
}

}  // namespace weft::tracetool

int main(int argc, char** argv) {
    using namespace weft::tracetool;
    const std::string name = argc > 1 ? argv[1] : "";
    if (name == "--help" || name == "-h" || name == "help") {
        std::fputs(usage, stdout);
        return 0;
    }
    try {
        for (const command& each : commands) {
            if (name != each.name) continue;
            const int status = each.run(argc - 1, argv + 1);
            if (std::fflush(stdout) != 0 && status == 0) return fail(std::strerror(errno));
            return status;
        }
    } catch (const std::exception& failure) {
        return fail(failure.what());
    }
    std::fputs(usage, stderr);
    return fail(name.empty() ? "no command" : "no command \"" + name + "\"", 2);
}
