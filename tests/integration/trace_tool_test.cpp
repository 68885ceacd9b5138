// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// weft-trace from outside: records a workload whose counts are known, then reads the file with
// every command and checks the Perfetto file with protoc.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "trace_kit.hpp"
#include "weft/trace/reader.hpp"
#include "weft/trace/session.hpp"
#include "weft/weft.hpp"

#ifndef WEFT_NO_TRACE

using namespace weft::trace;
using namespace trace_kit;

namespace {

constexpr task_id task_count = 500;

std::string record_workload(const std::string& options) {
    return record_case(options, "[trace-workload]");
}

weft::coro<int> traced_child(int n) { co_return n; }

weft::coro<> traced_main() {
    weft::task<int> child = weft::create_task(traced_child(1));
    weft::task<int> called = weft::create_task(&traced_child, 2);
    co_await child;
    co_await called;
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

}  // namespace

// Hidden: the program that the tests below record. Each task is created, run, suspended, woken, run
// again and finished.
TEST_CASE("a synthetic workload", "[.][trace-workload]") {
    start_from_environment();
    emitter workers[2];
    attach(workers[0], emitter_kind::worker, 0, "worker 0");
    attach(workers[1], emitter_kind::worker, 1, "worker 1");
    for (task_id i = 1; i <= task_count; ++i) {
        emitter& here = workers[i % 2];
        task_create(workers[0], i, std::source_location::current());
        if (i == 7) name_task(i, "the seventh");
        task_run(here, i, 0, run_source::local, 1);
        task_suspend(here, suspend_reason::mutex, 0, 99);
        task_wake(workers[0], i, 1, wake_via::local, 1);
        task_run(workers[1], i, 1, run_source::stolen, 0);
        task_finish(workers[1], i % 10 == 0 ? finish_result::cancelled : finish_result::value, 2,
                    64);
    }
    detach(workers[0]);
    detach(workers[1]);
    if (const char* signal = std::getenv("WEFT_TEST_DIE")) ::raise(std::atoi(signal));
}

TEST_CASE("weft-trace records a program and gives back its exit status") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    CHECK(shell(record_workload("-o t.wtrace"), place.path, output) == 0);
    CHECK(output.find("t.wtrace: 3000 records, 0 lost") != std::string::npos);
    const auto file = trace_file::open((place.path / "t.wtrace").string());
    REQUIRE(file);
    CHECK(file->complete);
    CHECK(shell(tool + " record -- sh -c 'exit 7'", place.path, output) == 7);
    CHECK(shell(tool + " record -- sh -c 'kill -TERM $$'", place.path, output) == 128 + SIGTERM);
    CHECK(shell(tool + " record -- ./no-such-program", place.path, output) == 127);
    CHECK(shell(tool + " record -l everything -- true", place.path, output) == 2);
}

TEST_CASE("a signal sent to weft-trace reaches the program that it records") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    const std::string program = "trap \"exit 5\" USR1; touch ready; while :; do sleep 0.01; done";
    const std::string script = tool + " record -- sh -c '" + program +
                               "' & while [ ! -e ready ]; do :; done; kill -USR1 $!; wait $!";
    CHECK(shell(script, place.path, output) == 5);
}

TEST_CASE("the trace of a program that is killed can be read") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    CHECK(shell("WEFT_TEST_DIE=9 " + record_workload("-o t.wtrace"), place.path, output) ==
          128 + SIGKILL);
    // Whether the collector came before the signal is a matter of luck; that the file reads is not.
    const auto file = trace_file::open((place.path / "t.wtrace").string());
    if (file) CHECK(file->damaged_chunks == 0);
}

TEST_CASE("a summary counts what the workload did") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    REQUIRE(shell(record_workload("-o t.wtrace"), place.path, output) == 0);
    REQUIRE(shell(tool + " summary t.wtrace", place.path, output) == 0);
    std::istringstream lines(output);
    std::map<std::string, std::vector<std::string>> rows;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string first, word;
        words >> first;
        if (rows.contains(first)) continue;
        while (words >> word) rows[first].push_back(word);
    }
    // created, finished, failed, cancelled, runs: "1 000" is two words
    REQUIRE(rows["all"].size() > 5);
    CHECK(rows["all"][0] == "500");
    CHECK(rows["all"][1] == "500");
    CHECK(rows["all"][2] == "0");
    CHECK(rows["all"][3] == "50");
    CHECK(rows["all"][4] + rows["all"][5] == "1000");
    CHECK(rows["mutex"][0] == "500");
    CHECK(rows["stolen"][0] == "500");
    CHECK(output.find("0 records lost") != std::string::npos);
}

// Hidden: a whole runtime, whose first tasks are there before its workers may be.
TEST_CASE("a program on the runtime", "[.][trace-runtime]") {
    weft::run(traced_main(), {.workers = 4});
}

TEST_CASE("a summary knows every task of a program, the first ones too") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    REQUIRE(shell(record_case("-o t.wtrace", "[trace-runtime]"), place.path, output) == 0);
    REQUIRE(shell(tool + " summary t.wtrace", place.path, output) == 0);
    INFO(output);
    CHECK(output.find("(unknown)") == std::string::npos);
    CHECK(output.find("traced_main ") != std::string::npos);
    CHECK(output.find("traced_child ") != std::string::npos);
    CHECK(output.find("(*)(int)") != std::string::npos);  // what create_task called
    CHECK(output.find("invoke_in_frame") == std::string::npos);
}

TEST_CASE("a dump has one line for each record") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    REQUIRE(shell(record_workload("-o t.wtrace"), place.path, output) == 0);
    REQUIRE(shell(tool + " dump t.wtrace", place.path, output) == 0);
    CHECK(count(output, "\n") == 6 * task_count);
    CHECK(count(output, "task_run") == 2 * task_count);
    CHECK(count(output, "reason=mutex site=0 object=99") == task_count);
    CHECK(count(output, "task=7 \"the seventh\"") == 4);
    REQUIRE(shell(tool + " dump -n 3 t.wtrace", place.path, output) == 0);
    CHECK(count(output, "\n") == 3);
}

TEST_CASE("protoc reads the Perfetto file and counts what the reader counts") {
    if (tool_is_missing()) return;
    if (std::system("protoc --version >/dev/null 2>&1") != 0) {
        WARN("protoc is not installed: nothing was tested");
        return;
    }
    const temporary_directory place;
    std::string output;
    REQUIRE(shell(record_workload("-o t.wtrace"), place.path, output) == 0);
    REQUIRE(shell(tool + " export --to perfetto -o t.pb t.wtrace", place.path, output) == 0);
    const std::string packets = output.substr(output.find("t.pb: ") + 6);
    REQUIRE(shell("protoc --decode=weft.perfetto.Trace -I '" WEFT_SOURCE_DIR "/tests/integration' "
                  "trace_perfetto.proto < t.pb",
                  place.path, output) == 0);
    CHECK(count(output, "\npacket {") + 1 == std::stoul(packets));
    std::map<std::string, std::size_t> on_threads;
    std::size_t begins = 0, ends = 0, unknown = 0;
    std::istringstream lines(output);
    std::string type;
    for (std::string line; std::getline(lines, line);) {
        // A field that the .proto does not know is printed by its number.
        const std::size_t key = line.find_first_not_of(' ');
        if (key != std::string::npos && line[key] >= '0' && line[key] <= '9') ++unknown;
        if (line.find("    type: ") == 0) type = line.substr(10);
        if (line.find("    track_uuid: ") != 0) continue;
        if (type == "SLICE_BEGIN") ++begins;
        if (type == "SLICE_END") ++ends;
        if (std::stoull(line.substr(16)) < 1'000'000) ++on_threads[type];
    }
    CHECK(unknown == 0);
    CHECK(begins == ends);
    CHECK(on_threads["SLICE_BEGIN"] == 2 * task_count);
    CHECK(on_threads["SLICE_END"] == 2 * task_count);
    CHECK(on_threads["INSTANT"] == 2 * task_count);
    CHECK(count(output, "    flow_ids: ") == 2 * task_count);
    CHECK(count(output, "    terminating_flow_ids: ") == 2 * task_count);
}

TEST_CASE("the commands refuse what is no trace with a sentence") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    std::ofstream(place.path / "text") << "no trace at all";
    std::ofstream(place.path / "empty").flush();
    for (const std::string command : {"summary", "dump", "export --to perfetto"}) {
        CHECK(shell(tool + " " + command + " text", place.path, output) == 1);
        CHECK(output == "weft-trace: text: not a weft trace\n");
        CHECK(shell(tool + " " + command + " empty", place.path, output) == 1);
        CHECK(shell(tool + " " + command + " missing", place.path, output) == 1);
        CHECK(shell(tool + " " + command, place.path, output) == 1);
    }
    CHECK(shell(tool + " explain", place.path, output) == 2);
    CHECK(shell(tool + " --help", place.path, output) == 0);
}

TEST_CASE("an environment that asks for what cannot be is answered with a sentence") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    const std::string workload =
        fs::read_symlink("/proc/self/exe").string() + " '[trace-workload]'";
    CHECK(shell("WEFT_TRACE=/nonexistent/t " + workload, place.path, output) == 0);
    CHECK(output.find("weft: trace: cannot record into /nonexistent/t: No such file or directory; "
                      "running without a trace\n") != std::string::npos);
    CHECK(shell("WEFT_TRACE=t WEFT_TRACE_LEVEL=loud " + workload, place.path, output) == 0);
    CHECK(output.find("WEFT_TRACE_LEVEL is \"loud\"") != std::string::npos);
    CHECK(fs::exists(place.path / "t"));
}

#endif
