// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The network under shortage and under a hostile kernel: no descriptors left, and transfers of a
// few bytes with interruptions (the shim of tests/support/partial_io_preload.c).

#include "net_kit.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEFT_TEST_SANITIZED 1
#endif
#endif

namespace {

/// Runs `body` in a child process; true if it returned without throwing.
bool succeeds_in_child(void (*body)()) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        int status = 1;
        try {
            body();
            status = 0;
        } catch (const std::exception& error) {
            std::fprintf(stderr, "in the child: %s\n", error.what());
        }
        std::fflush(nullptr);
        ::_exit(status);
    }
    int status = -1;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<detail::unique_fd> use_up_descriptors(std::size_t leave) {
    std::vector<detail::unique_fd> taken;
    taken.reserve(4096);
    for (;;) {
        const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0) break;
        taken.emplace_back(fd);
    }
    for (std::size_t i = 0; i < leave; ++i) taken.pop_back();
    return taken;
}

std::chrono::nanoseconds processor_time() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

coro<> accept_without_descriptors() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    detail::unique_fd established = raw_connect(listener.local_endpoint());
    tcp_stream served = co_await listener.accept();
    std::byte one{};
    bool timed_out = false;
    try {
        co_await with_timeout(1ms, served.read_some(std::span(&one, 1)));  // registers
    } catch (const timeout_error&) {
        timed_out = true;
    }
    WEFT_MUST(timed_out);

    std::vector<detail::unique_fd> taken = use_up_descriptors(1);
    detail::unique_fd waiting = raw_connect(listener.local_endpoint());  // takes the last one
    auto acceptor = create_task(net::to_coro(listener.accept()));
    const auto spent_before = processor_time();
    co_await sleep(250ms);
    WEFT_MUST(!acceptor.done());
    // A listener that spins would take all of the 250 ms.
    WEFT_MUST(processor_time() - spent_before < 125ms);
    // Connections that exist are served meanwhile.
    WEFT_MUST(::send(established.get(), "x", 1, MSG_NOSIGNAL) == 1);
    WEFT_MUST(co_await served.read_some(std::span(&one, 1)) == 1);

    taken.clear();
    // No new event comes: the listener must try again by itself.
    tcp_stream late = std::move(co_await acceptor);
    WEFT_MUST(::send(waiting.get(), "y", 1, MSG_NOSIGNAL) == 1);
    WEFT_MUST(co_await late.read_some(std::span(&one, 1)) == 1);
    WEFT_MUST(one == std::byte{'y'});
}

coro<> close_while_short() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    bool timed_out = false;
    try {
        static_cast<void>(co_await with_timeout(1ms, listener.accept()));  // registers
    } catch (const timeout_error&) {
        timed_out = true;
    }
    WEFT_MUST(timed_out);
    std::vector<detail::unique_fd> taken = use_up_descriptors(1);
    detail::unique_fd waiting = raw_connect(listener.local_endpoint());
    auto acceptor = create_task(net::to_coro(listener.accept()));
    co_await sleep(20ms);
    WEFT_MUST(!acceptor.done());
    const auto refused = co_await as_expected(tcp_stream::connect(listener.local_endpoint()));
    WEFT_MUST(!refused && refused.error() == std::errc::too_many_files_open);
    listener.close();
    bool ended = false;
    try {
        static_cast<void>(co_await acceptor);
    } catch (const std::system_error& error) {
        ended = error.code() == std::errc::operation_canceled;
    }
    WEFT_MUST(ended);
}

void limit_descriptors() {
    rlimit limit{};
    WEFT_MUST(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 64;
    WEFT_MUST(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

}  // namespace

TEST_CASE("a listener survives running out of descriptors", "[net][limits]") {
    CHECK(succeeds_in_child([] {
        limit_descriptors();
        run(accept_without_descriptors(), runtime_options{.workers = 2});
    }));
}

TEST_CASE("a listener that is short of descriptors can be closed", "[net][limits]") {
    CHECK(succeeds_in_child([] {
        limit_descriptors();
        run(close_while_short(), runtime_options{.workers = 1});
    }));
}

TEST_CASE("the network tests pass when every transfer is partial", "[net-shim]") {
#if defined(WEFT_TEST_SANITIZED)
    WARN("skipped: a sanitizer's own interceptors come before the shim");
#else
    const std::string shim = WEFT_BUILD_DIR "/tests/partial_io_preload.so";
    if (::access(shim.c_str(), R_OK) != 0) {
        WARN("skipped: " << shim << " was not built");
        return;
    }
    const std::string seed = std::to_string(weft::test::seed());
    const std::string command = "WEFT_TEST_COUNTS_DIR= WEFT_TEST_SEED=" + seed +
                                " LD_PRELOAD=" + shim + " /proc/" + std::to_string(::getpid()) +
                                "/exe '[net]~[limits]'";
    CHECK(std::system(command.c_str()) == 0);
#endif
}
