// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// An idle runtime makes no system calls but its waits; and what a runtime does when it cannot have
// the threads or descriptors it wants. strace watches a second copy of this executable, which runs
// one of the hidden cases here.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <system_error>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "weft/net/tcp_listener.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// Visible in strace's output, harmless everywhere.
void mark(const char* text) {
    static_cast<void>(!::write(-1, text, std::string_view{text}.size()));
}

coro<> accepts(net::tcp_listener& listener) {
    net::tcp_stream never = co_await listener.accept();
    static_cast<void>(never);
}

coro<> idles() {
    net::tcp_listener listener = net::tcp_listener::bind(net::endpoint::loopback_v4(0));
    task<> acceptor = create_task(accepts(listener));
    task<> sleeper = create_task(coro_sleep(far));
    co_await sleep(std::chrono::milliseconds{300});  // until every worker has gone to sleep
    mark("idle begins");
    co_await sleep(std::chrono::seconds{2});
    mark("idle ends");
    sleeper.cancel();
    acceptor.cancel();
    while (!sleeper.done() || !acceptor.done()) co_await yield();
}

coro<int> returns(int value) { co_return value; }

/// LeakSanitizer cannot work in a process that is traced.
const std::string strace = "ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0\" strace -f ";

bool have_strace() { return shell(strace + "-o /dev/null true").exit_code == 0; }

std::string own_path() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

struct idleness {
    std::map<std::string, int> calls;  // by name, between the two marks
    double longest_silence = 0;        // seconds
};

idleness read_trace(const std::string& path) {
    idleness found;
    bool idle = false;
    double last = 0;
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        std::istringstream words{line};
        std::string thread, call;
        double now = 0;
        words >> thread >> now >> call;
        if (idle) found.longest_silence = std::max(found.longest_silence, now - last);
        last = now;
        if (line.find("idle ends") != std::string::npos) break;
        if (idle && call.find('(') != std::string::npos)
            ++found.calls[call.substr(0, call.find('('))];
        idle = idle || line.find("idle begins") != std::string::npos;
    }
    return found;
}

std::size_t threads_of_this_process() {
    std::filesystem::directory_iterator all{"/proc/self/task"};
    return static_cast<std::size_t>(std::ranges::distance(all));
}

}  // namespace

TEST_CASE("a program that idles", "[.][idle-program]") { run(idles(), {.workers = 4}); }

TEST_CASE("an idle runtime makes no system calls but its waits") {
    if (!have_strace() || has_sanitizer_thread()) {
        WARN("skipped: strace may not trace, or would show a sanitizer's own thread");
        return;
    }
    auto output = std::filesystem::temp_directory_path() /
                  ("weft-idle-" + std::to_string(::getpid()) + ".strace");
    child_result result =
        shell(strace + "-ttt -o " + output.string() + " " + own_path() + " '[idle-program]'");
    INFO(result.output);
    CHECK(result.exit_code == 0);
    idleness found = read_trace(output.string());
    std::filesystem::remove(output);
    for (const auto& [name, count] : found.calls) {
        INFO(name << ": " << count);
        bool is_a_wait = name == "futex" || name.starts_with("epoll_") || name == "restart_syscall";
        bool is_a_wake = name == "read" || name == "write" || name == "membarrier";
        CHECK((is_a_wait || is_a_wake));
    }
    // Workers settle for a moment; then nothing at all happens until the two seconds are over.
    CHECK(found.longest_silence > 1.0);
}

TEST_CASE("a program whose third thread is refused", "[.][refused-thread]") {
    bool refused = false;
    std::size_t descriptors = open_descriptors();
    try {
        runtime r{{.workers = 4}};
    } catch (const std::system_error& e) {
        refused = e.code() == std::errc::resource_unavailable_try_again;
    }
    CHECK(refused);
    CHECK(threads_of_this_process() == 1);
    CHECK(open_descriptors() == descriptors);
    CHECK(run(returns(4), {.workers = 4}) == 4);
}

TEST_CASE("a runtime that cannot have its threads throws and leaves none behind") {
    if (!have_strace() || has_sanitizer_thread()) {
        WARN("skipped: strace may not trace, or would show a sanitizer's own thread");
        return;
    }
    for (int k : {1, 2, 4}) {
        child_result result = shell(strace +
                                    "-o /dev/null -e trace=clone,clone3 -e inject=clone,"
                                    "clone3:error=EAGAIN:when=" +
                                    std::to_string(k) + " " + own_path() + " '[refused-thread]'");
        INFO(result.output);
        CHECK(result.exit_code == 0);
    }
}

TEST_CASE("a runtime that cannot have its descriptors throws and gives back what it had") {
    if (is_sanitized()) return;
    child_result result = in_child([] {
        std::size_t before = open_descriptors();
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        rlim_t old = limit.rlim_cur;
        int refusals = 0;
        for (rlim_t allowed = 3; allowed < 16; ++allowed) {
            limit.rlim_cur = allowed;
            setrlimit(RLIMIT_NOFILE, &limit);
            try {
                runtime r{{.workers = 4}};
            } catch (const std::system_error& e) {
                refusals += e.code() == std::errc::too_many_files_open ? 1 : 100;
            }
        }
        limit.rlim_cur = old;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (open_descriptors() != before) return 1;
        if (refusals < 5 || refusals > 13) return 2;
        return run(returns(3), {.workers = 4});
    });
    INFO(result.output);
    CHECK(result.exit_code == 3);
}
