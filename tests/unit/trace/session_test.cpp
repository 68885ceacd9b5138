// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/trace/session.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "weft/trace/reader.hpp"

using namespace weft::trace;

#ifndef WEFT_NO_TRACE

namespace {

/// A path in a directory of its own that goes away with it.
struct temporary_file {
    temporary_file() {
        std::string pattern = (std::filesystem::temp_directory_path() / "weft-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        directory = pattern;
        path = directory / "t.wtrace";
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() { std::filesystem::remove_all(directory); }

    std::filesystem::path directory;
    std::filesystem::path path;
};

/// An emitter attached to this thread for as long as it lives.
struct attached {
    explicit attached(unsigned index, emitter_kind kind = emitter_kind::worker) {
        attach(e, kind, index, "worker " + std::to_string(index));
    }
    attached(const attached&) = delete;
    attached& operator=(const attached&) = delete;
    ~attached() { detach(e); }
    emitter e;
};

std::vector<std::string> reports;
void keep_report(std::string_view sentence) { reports.emplace_back(sentence); }

trace_file read(const std::filesystem::path& path) {
    auto file = trace_file::open(path.string());
    INFO((file ? "" : file.error()));
    REQUIRE(file);
    return std::move(*file);
}

/// Emits `count` numbered marks: the values of one thread are 0, 1, 2, ...
void emit_marks(emitter& e, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        if (e.on(bits::tasks)) e.emit(event::mark, pack<event::mark>(1u, i));
    }
}

}  // namespace

TEST_CASE("what two threads emit is in the file, in their order, with nothing lost") {
    temporary_file file;
    const std::string path = file.path.string();
    REQUIRE_FALSE(start({.file = path, .ring_bytes = std::size_t{8} << 20}));
    constexpr std::uint64_t count = 100'000;
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < 2; ++i) {
            threads.emplace_back([i] {
                attached worker(i);
                emit_marks(worker.e, count);
            });
        }
    }
    const statistics figures = stop();
    CHECK_FALSE(figures.error);
    CHECK(figures.lost == 0);
    CHECK(figures.records == 2 * count);

    const trace_file trace = read(file.path);
    CHECK(trace.complete);
    CHECK(trace.damaged_chunks == 0);
    CHECK(trace.unread_bytes == 0);
    CHECK(trace.records == 2 * count);
    std::map<std::uint32_t, std::uint64_t> next;
    std::uint64_t wrong = 0, backwards = 0, last = 0;
    trace.for_each([&](const recorded_event& e) {
        if (trace.fields(e)[1] != next[e.emitter]++) ++wrong;
        if (e.ticks < last) ++backwards;
        last = e.ticks;
    });
    CHECK(wrong == 0);
    CHECK(backwards == 0);
    REQUIRE(next.size() == 2);
    for (const auto& [emitter, seen] : next) CHECK(seen == count);
    CHECK(trace.emitters[0].name == "worker " + std::to_string(trace.emitters[0].index));
}

TEST_CASE("a writer at full rate is never held up and every record is read or counted as lost") {
    temporary_file file;
    const std::string path = file.path.string();
    REQUIRE_FALSE(start({.file = path, .ring_bytes = std::size_t{4} << 10}));
    constexpr std::uint64_t count = 1'000'000;
    std::jthread([] {
        attached worker(0);
        emit_marks(worker.e, count);
    }).join();
    const statistics figures = stop();
    CHECK(figures.records + figures.lost == count);

    const trace_file trace = read(file.path);
    CHECK(trace.records == figures.records);
    CHECK(trace.lost == figures.lost);
    std::uint64_t expected = 0, wrong = 0, lost = 0;
    trace.for_each([&](const recorded_event& e) {
        expected += e.lost;
        lost += e.lost;
        if (trace.fields(e)[1] != expected++) ++wrong;
    });
    CHECK(wrong == 0);
    CHECK(lost <= trace.lost);
}

TEST_CASE("an emitter that was there before the recording joins it, and leaves with it") {
    temporary_file file;
    const std::string path = file.path.string();
    attached worker(7);
    emit_marks(worker.e, 10);
    for (int round = 0; round < 2; ++round) {
        REQUIRE_FALSE(start({.file = path}));
        emit_marks(worker.e, 5);
        CHECK(stop().records == 5);
        CHECK_FALSE(worker.e.on(~bits::clock_monotonic));
    }
    emit_marks(worker.e, 10);
    CHECK(read(file.path).records == 5);
}

TEST_CASE("threads that come and go share rings") {
    temporary_file file;
    const std::string path = file.path.string();
    REQUIRE_FALSE(start({.file = path, .ring_bytes = 4096}));
    for (int i = 0; i < 1500; ++i) {
        std::jthread([] { emit_marks(this_thread_emitter(), 3); }).join();
        if (i % 500 == 499) {  // 1024 rings is the limit: let the collector give some back
            const std::uint64_t aim = static_cast<std::uint64_t>(i + 1) * 3;
            while (current_statistics().records < aim) std::this_thread::yield();
        }
    }
    const statistics figures = stop();
    CHECK(figures.records == 4500);
    CHECK(figures.unringed == 0);
    CHECK(read(file.path).emitters.size() == 1500);
}

TEST_CASE("names of types, sites and tasks are in the file") {
    temporary_file file;
    const std::string path = file.path.string();
    const auto here = std::source_location::current();
    REQUIRE_FALSE(start({.file = path}));
    const std::uint32_t type = define_type(here);
    CHECK(define_type(here) == type);
    CHECK(type != other_type);
    const std::uint32_t site = define_site(here);
    const std::uint32_t request = define_name("request");
    CHECK(define_name("request") == request);
    CHECK(define_name("reply") != request);
    name_task(17, "fetch 17");
    stop();

    const trace_file trace = read(file.path);
    REQUIRE(trace.location(id_space::type, type) != nullptr);
    CHECK(trace.location(id_space::type, type)->function == here.function_name());
    CHECK(trace.location(id_space::site, site)->line == here.line());
    CHECK(trace.location(id_space::name, request)->function == "request");
    CHECK(trace.task_names.at(17) == "fetch 17");
    CHECK(trace.location(id_space::site, 0xffffff) == nullptr);
}

TEST_CASE("stamps become nanoseconds of the monotonic clock, whichever clock was used") {
    for (const bool monotonic : {false, true}) {
        temporary_file file;
        const std::string path = file.path.string();
        attached worker(0);
        const auto before = std::chrono::steady_clock::now().time_since_epoch();
        REQUIRE_FALSE(start({.file = path, .monotonic_clock = monotonic}));
        emit_marks(worker.e, 1);
        stop();
        const auto after = std::chrono::steady_clock::now().time_since_epoch();
        const trace_file trace = read(file.path);
        REQUIRE(trace.clocks.size() >= 2);
        std::uint64_t at = 0;
        trace.for_each([&](const recorded_event& e) { at = trace.to_monotonic(e.ticks); });
        CHECK(at + 1000 >= static_cast<std::uint64_t>(before.count()));
        CHECK(at <= static_cast<std::uint64_t>(after.count()) + 1000);
    }
}

TEST_CASE("a file that cannot be written is an error, and nothing records") {
    attached worker(0);
    CHECK(start({.file = "/nonexistent/directory/t.wtrace"}) ==
          std::errc::no_such_file_or_directory);
    CHECK(start({.file = "/dev/full"}) == std::errc::no_space_on_device);
    CHECK_FALSE(worker.e.on(bits::tasks));
    CHECK_FALSE(current_statistics().active);
}

TEST_CASE("a second recording is refused while one runs") {
    temporary_file file;
    const std::string path = file.path.string();
    REQUIRE_FALSE(start({.file = path}));
    CHECK(start({.file = path}) == std::errc::operation_in_progress);
    CHECK(current_statistics().active);
    stop();
    CHECK_FALSE(stop().active);
}

TEST_CASE("a full disk ends the recording with a report and leaves a file that reads") {
    temporary_file file;
    const std::string path = file.path.string();
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    reports.clear();
    set_report_function(keep_report);
    attached worker(0);
    REQUIRE_FALSE(start({.file = path}));
    // The limit of a file's size stands for a full disk; its signal is blocked in the collector.
    rlimit small = before;
    small.rlim_cur = 64 << 10;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    while (worker.e.on(bits::tasks)) emit_marks(worker.e, 1000);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    const statistics figures = stop();
    set_report_function(nullptr);
    CHECK(figures.error == std::errc::file_too_large);
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].find(path) != std::string::npos);
    const trace_file trace = read(file.path);
    CHECK_FALSE(trace.complete);
    CHECK(trace.damaged_chunks == 0);
}

TEST_CASE("a reader that takes nothing ends the recording and holds nobody up") {
    temporary_file file;
    const std::string path = file.path.string();
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK(start({.file = path}) == std::errc::no_such_device_or_address);  // no reader at all
    const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(reader >= 0);
    reports.clear();
    set_report_function(keep_report);
    attached worker(0);
    REQUIRE_FALSE(start({.file = path}));
    while (worker.e.on(bits::tasks)) emit_marks(worker.e, 1000);
    const statistics figures = stop();
    set_report_function(nullptr);
    ::close(reader);
    CHECK(figures.error == std::errc::timed_out);
    CHECK(reports.size() == 1);
}

TEST_CASE("a forked child does not record, and the parent goes on") {
    temporary_file file;
    const std::string path = file.path.string();
    attached worker(0);
    REQUIRE_FALSE(start({.file = path}));
    emit_marks(worker.e, 3);
    const pid_t child = ::fork();
    if (child == 0) {
        const bool silent = !worker.e.on(bits::tasks) && !current_statistics().active;
        emit_marks(worker.e, 1000);
        if (!weft::test::forked_child_has_threads()) ::_exit(silent ? 0 : 1);
        // A recording of its own takes another file, since this one is in use.
        const bool started = !start({.file = path});
        emit_marks(worker.e, 4);
        const statistics own = stop();
        ::_exit(silent && started && own.records == 4 && own.file != path ? 0 : 1);
    }
    REQUIRE(child > 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    emit_marks(worker.e, 3);
    CHECK(stop().records == 6);
    CHECK(read(file.path).records == 6);
}

TEST_CASE("%p in the file's name becomes the process id") {
    temporary_file file;
    const std::string path = (file.directory / "t.%p").string();
    REQUIRE_FALSE(start({.file = path}));
    CHECK(stop().file == (file.directory / ("t." + std::to_string(::getpid()))).string());
}

TEST_CASE("recordings may start and stop while threads emit") {
    temporary_file file;
    const std::string path = file.path.string();
    std::atomic<bool> done{false};
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
            attached worker(i);
            while (!done.load()) emit_marks(worker.e, 100);
        });
    }
    for (int round = 0; round < 20; ++round) {
        REQUIRE_FALSE(start({.file = path, .ring_bytes = 64 << 10}));
        while (current_statistics().records < 1000) std::this_thread::yield();
        const statistics figures = stop();
        const trace_file trace = read(file.path);
        CHECK(trace.complete);
        CHECK(trace.records == figures.records);
        std::uint64_t visited = 0;
        trace.for_each([&](const recorded_event& e) { visited += e.id == event::mark; });
        CHECK(visited == trace.records);
    }
    done.store(true);
}

#endif
