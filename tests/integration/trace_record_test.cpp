// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// weft-trace record among awkward neighbours: pipes, signals and programs that start programs.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "trace_kit.hpp"
#include "weft/trace/reader.hpp"
#include "weft/trace/session.hpp"

#ifndef WEFT_NO_TRACE

using namespace weft::trace;
using namespace trace_kit;

namespace {

/// Starts weft-trace in `directory` with its standard output and error on `output`.
template <class Prepare>
pid_t start_tool(const fs::path& directory, std::vector<std::string> arguments, int output,
                 Prepare prepare) {
    arguments.insert(arguments.begin(), tool);
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    const pid_t process = ::fork();
    if (process != 0) return process;
    prepare();
    if (::chdir(directory.c_str()) == 0 && ::dup2(output, 1) == 1 && ::dup2(output, 2) == 2) {
        ::execv(tool.c_str(), words.data());
    }
    ::_exit(126);
}

/// A child process; one that still runs when this goes out of scope is killed.
struct reaped {
    explicit reaped(pid_t which) : process(which) { REQUIRE(process > 0); }
    reaped(const reaped&) = delete;
    reaped& operator=(const reaped&) = delete;
    ~reaped() {
        if (ended) return;
        ::kill(process, SIGKILL);
        ::waitpid(process, &status, 0);
    }
    bool has_ended() { return ended = ended || ::waitpid(process, &status, WNOHANG) == process; }

    pid_t process;
    int status = 0;
    bool ended = false;
};

/// Far more than any machine needs: only what hangs for good takes as long.
auto patience() { return std::chrono::steady_clock::now() + std::chrono::seconds(60); }

/// The records in each trace in `directory` whose name begins as weft-trace's output does.
std::vector<std::uint64_t> records_in_traces(const fs::path& directory) {
    std::vector<std::uint64_t> records;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
        if (!entry.path().filename().string().starts_with("t.wtrace")) continue;
        INFO(entry.path().string());
        const auto file = trace_file::open(entry.path().string());
        CHECK(file);
        if (!file) continue;
        CHECK(file->complete);
        records.push_back(file->records);
    }
    std::sort(records.begin(), records.end());
    return records;
}

}  // namespace

TEST_CASE("a pipe is recorded into and not read back") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    // The shell keeps the pipe open both ways: reading it back would wait for ever.
    const std::string record = record_case("-o p", "[trace-workload]");
    CHECK(shell("mkfifo p && exec 3<>p && timeout -s KILL 60 " + record, place.path, output) == 0);
    CHECK(output.find("no trace") == std::string::npos);
    CHECK(shell(tool + " record -o /dev/null -- true", place.path, output) == 0);
    CHECK(output.empty());
}

TEST_CASE("a link to a file stays a link, and its target is recorded into") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    CHECK(shell("echo old > target && ln -s target link", place.path, output) == 0);
    const std::string record = record_case("-o link", "[trace-workload]");
    CHECK(shell(record, place.path, output) == 0);
    CHECK(fs::is_symlink(place.path / "link"));
    CHECK(trace_file::open((place.path / "target").string()).has_value());
    CHECK(shell(tool + " record -o link -- true", place.path, output) == 0);
    CHECK(output.find("no trace") != std::string::npos);  // the earlier one is not taken for it
}

TEST_CASE("once the program has ended, a signal ends weft-trace") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    // A pipe that is full: weft-trace hangs where it reports on the file.
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    const std::string page(4096, 'x');
    while (::write(ends[1], page.data(), page.size()) > 0) continue;
    while (::write(ends[1], page.data(), 1) > 0) continue;
    REQUIRE(::fcntl(ends[1], F_SETFL, 0) == 0);
    {
        reaped record(start_tool(place.path, {"record", "--", "touch", "started"}, ends[1], [] {}));
        const auto deadline = patience();
        while (!fs::exists(place.path / "started") && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        // Each signal reaches the program or, after it, weft-trace itself.
        while (!record.has_ended() && std::chrono::steady_clock::now() < deadline) {
            ::kill(record.process, SIGTERM);
            std::this_thread::yield();
        }
        CHECK(record.ended);
        CHECK(WIFSIGNALED(record.status));
        CHECK(WTERMSIG(record.status) == SIGTERM);
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("the exit status comes through where children's ends are ignored") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    const auto ignore_children = [] { std::signal(SIGCHLD, SIG_IGN); };
    const fs::path log = place.path / "log";
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    int status = 0;
    pid_t record =
        start_tool(place.path, {"record", "--", "sh", "-c", "exit 7"}, file, ignore_children);
    REQUIRE(::waitpid(record, &status, 0) == record);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
    // The program still ignores what it would have ignored without weft-trace.
    record = start_tool(place.path, {"record", "--", "grep", "SigIgn", "/proc/self/status"}, file,
                        ignore_children);
    REQUIRE(::waitpid(record, &status, 0) == record);
    ::close(file);
    std::ostringstream text;
    text << std::ifstream(log).rdbuf();
    const std::size_t at = text.str().find("SigIgn:");
    REQUIRE(at != std::string::npos);
    CHECK((std::stoull(text.str().substr(at + 7), nullptr, 16) >> (SIGCHLD - 1) & 1) == 1);
}

// Hidden: records one mark and as many as WEFT_TEST_EXECS says, which is one less in the program
// that takes its place.
TEST_CASE("a program that executes another", "[.][trace-exec]") {
    start_from_environment();
    const char* setting = std::getenv("WEFT_TEST_EXECS");
    const int left = setting != nullptr ? std::atoi(setting) : 0;
    emitter& here = this_thread_emitter();
    for (int i = 0; i <= left && here.on(bits::tasks); ++i) {
        here.emit(event::mark, pack<event::mark>(1u, 2u));
    }
    stop();
    if (left == 0) return;
    REQUIRE(::setenv("WEFT_TEST_EXECS", std::to_string(left - 1).c_str(), 1) == 0);
    const std::string self = fs::read_symlink("/proc/self/exe").string();
    ::execl(self.c_str(), self.c_str(), "[trace-exec]", nullptr);
    FAIL("exec");
}

TEST_CASE("programs that run one after the other leave each other's traces alone") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    std::ofstream(place.path / "twice") << "\"$@\" && WEFT_TEST_EXECS=4 \"$@\"\n";
    const std::string program = "sh twice " + fs::read_symlink("/proc/self/exe").string();
    const std::string record = tool + " record -o t.wtrace -- " + program + " '[trace-exec]'";
    REQUIRE(shell(record, place.path, output) == 0);
    CHECK(records_in_traces(place.path) == std::vector<std::uint64_t>{1, 1, 2, 3, 4, 5});
    CHECK(output.find("t.wtrace: 1 records, 0 lost") != std::string::npos);
}

TEST_CASE("only programs of the same recording spare a trace") {
    if (tool_is_missing()) return;
    const temporary_directory place;
    std::string output;
    const std::string program = fs::read_symlink("/proc/self/exe").string() + " '[trace-exec]'";
    const auto run = [&](const std::string& settings) {
        CHECK(shell("WEFT_TRACE=t.wtrace " + settings + " " + program, place.path, output) == 0);
        return records_in_traces(place.path).size();
    };
    CHECK(run("") == 1);
    CHECK(run("") == 1);
    CHECK(run("WEFT_TRACE_RECORDING=5") == 1);
    CHECK(run("WEFT_TRACE_RECORDING=6") == 1);
    CHECK(run("WEFT_TRACE_RECORDING=6") == 2);
    CHECK(run("WEFT_TRACE_RECORDING=none") == 2);
}

#endif
