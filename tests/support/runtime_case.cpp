// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "support/runtime_case.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "weft/task/frame_pool.hpp"

#if defined(__SANITIZE_THREAD__)
#define WEFT_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TEST_TSAN 1
#endif
#endif
#ifndef WEFT_TEST_TSAN
#define WEFT_TEST_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEFT_TEST_SANITIZED 1
#endif
#endif
#ifndef WEFT_TEST_SANITIZED
#define WEFT_TEST_SANITIZED 0
#endif

namespace weft::test {

namespace {

constexpr bool sanitized = WEFT_TEST_SANITIZED != 0;

// Read by the signal handler: written before the alarm is set.
char watched[256];

extern "C" void weft_test_bark(int) {
    static constexpr char text[] = "\nwatchdog: took too long: ";
    static_cast<void>(!write(STDERR_FILENO, text, sizeof text - 1));
    static_cast<void>(!write(STDERR_FILENO, watched, std::strlen(watched)));
    static_cast<void>(!write(STDERR_FILENO, "\n", 1));
    std::abort();
}

}  // namespace

std::chrono::milliseconds unit() {
    if (const char* given = std::getenv("WEFT_TEST_UNIT_MS")) {
        return std::chrono::milliseconds{std::max(1L, std::strtol(given, nullptr, 10))};
    }
    return std::chrono::milliseconds{sanitized ? 200 : 50};
}

bool is_sanitized() noexcept { return sanitized; }

std::size_t resident_bytes() {
    std::ifstream file{"/proc/self/statm"};
    std::size_t all = 0;
    std::size_t resident = 0;
    file >> all >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

bool signals_are_deferred() noexcept { return WEFT_TEST_TSAN != 0; }

bool has_sanitizer_thread() noexcept { return WEFT_TEST_TSAN != 0; }

bool forked_child_has_threads() noexcept { return WEFT_TEST_TSAN == 0; }

watchdog::watchdog(std::string_view name) {
    std::size_t length = std::min(name.size(), sizeof watched - 1);
    std::memcpy(watched, name.data(), length);
    watched[length] = 0;
    struct sigaction action{};
    action.sa_handler = &weft_test_bark;
    sigaction(SIGALRM, &action, nullptr);
    constexpr std::size_t limit = sanitized ? 100 : 25;  // seconds
    alarm(static_cast<unsigned>(std::max(limit, stress_iterations(limit))));
}

watchdog::~watchdog() {
    alarm(0);
    signal(SIGALRM, SIG_DFL);
}

std::size_t open_descriptors() {
    std::filesystem::directory_iterator all{"/proc/self/fd"};
    return static_cast<std::size_t>(std::ranges::distance(all)) - 1;  // the iterator's own
}

leak_check::leak_check() : blocks_(detail::live_blocks()), descriptors_(open_descriptors()) {}

leak_check::~leak_check() {
    CHECK(detail::live_blocks() - blocks_ == 0);
    CHECK(open_descriptors() == descriptors_);
}

void on_workers(std::initializer_list<unsigned> counts, const std::function<void(unsigned)>& body) {
    for (unsigned workers : counts) {
        INFO("workers: " << workers);
        watchdog guard{Catch::getResultCapture().getCurrentTestName()};
        leak_check clean;
        body(workers);
    }
}

coro<> coro_sleep(std::chrono::nanoseconds delay) { co_await sleep(delay); }

std::string text_of(const std::exception_ptr& error) {
    if (!error) return "";
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    } catch (const cancelled&) {
        return "cancelled";
    } catch (...) {
        return "?";
    }
}

std::string outcome_of(const any_task& t) {
    if (!t.done()) return "not done";
    if (t.cancelled()) return "cancelled";
    std::exception_ptr error = t.exception();
    return error ? text_of(error) : "value";
}

}  // namespace weft::test
