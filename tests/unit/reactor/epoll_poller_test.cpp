// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#if defined(__linux__)

#include "reactor/epoll_poller.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "weft/reactor/reactor_shard.hpp"

namespace {

using namespace weft::detail;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

/// The real kernel, with failures that the test asks for.
struct faulty_kernel {
    std::map<std::string, std::vector<int>>* faults = nullptr;  // call → errno of its next uses
    int* millisecond_waits = nullptr;

    bool fails(const char* call) const {
        if (faults == nullptr) return false;
        auto& queued = (*faults)[call];
        if (queued.empty()) return false;
        errno = queued.front();
        queued.erase(queued.begin());
        return errno != 0;
    }
    int epoll_create1(int flags) { return fails("epoll_create1") ? -1 : ::epoll_create1(flags); }
    int eventfd(unsigned value, int flags) {
        return fails("eventfd") ? -1 : ::eventfd(value, flags);
    }
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
        return fails("epoll_ctl") ? -1 : ::epoll_ctl(epoll, operation, fd, event);
    }
    int epoll_pwait2(int epoll, epoll_event* events, int limit, const timespec* timeout) {
        if (fails("epoll_pwait2")) return -1;
        return ::epoll_pwait2(epoll, events, limit, timeout, nullptr);
    }
    int epoll_pwait(int epoll, epoll_event* events, int limit, int milliseconds) {
        if (fails("epoll_pwait")) return -1;
        if (millisecond_waits != nullptr) *millisecond_waits = milliseconds;
        return ::epoll_pwait(epoll, events, limit, milliseconds, nullptr);
    }
    ssize_t write_fd(int fd, const void* data, std::size_t size) {
        return fails("write") ? -1 : ::write(fd, data, size);
    }
};

struct faulty_shard {
    std::map<std::string, std::vector<int>> faults;
    int millisecond_waits = 0;
    epoll_poller<faulty_kernel> poller{faulty_kernel{&faults, &millisecond_waits}};

    std::vector<poll_event> wait(nanoseconds timeout) {
        std::vector<poll_event> events(64);
        const auto count = poller.wait(events, timeout);
        REQUIRE(count.has_value());
        events.resize(*count);
        return events;
    }
};

struct socket_pair {
    unique_fd near;
    unique_fd far;

    socket_pair() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        near.reset(ends[0]);
        far.reset(ends[1]);
    }
    void send(const char* text) {
        const std::size_t size = std::char_traits<char>::length(text);
        REQUIRE(::send(far.get(), text, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size));
    }
};

std::size_t open_descriptors() {
    DIR* directory = ::opendir("/proc/self/fd");
    REQUIRE(directory != nullptr);
    std::size_t count = 0;
    while (::readdir(directory) != nullptr) ++count;
    ::closedir(directory);
    return count;
}

}  // namespace

TEST_CASE("registration reports what is ready already", "[reactor][epoll]") {
    faulty_shard test;
    socket_pair pair;
    pair.send("x");
    REQUIRE_FALSE(test.poller.add(pair.near.get(), 42));
    const auto events = test.wait(0ns);
    REQUIRE(events.size() == 1);
    CHECK(events[0].token == 42);
    CHECK(events[0].readable);
    CHECK(events[0].writable);
    CHECK_FALSE(events[0].hang_up);
}

TEST_CASE("events are edges: what was reported is not reported again", "[reactor][epoll]") {
    faulty_shard test;
    socket_pair pair;
    REQUIRE_FALSE(test.poller.add(pair.near.get(), 42));
    REQUIRE(test.wait(0ns).size() == 1);
    CHECK(test.wait(0ns).empty());
    pair.send("x");
    REQUIRE(test.wait(0ns).size() == 1);
    CHECK(test.wait(0ns).empty());
    pair.send("y");
    CHECK(test.wait(0ns).size() == 1);
}

TEST_CASE("a closed peer is one event, not a stream of them", "[reactor][epoll]") {
    faulty_shard test;
    socket_pair pair;
    REQUIRE_FALSE(test.poller.add(pair.near.get(), 42));
    REQUIRE(test.wait(0ns).size() == 1);
    pair.far.reset();
    const auto events = test.wait(0ns);
    REQUIRE(events.size() == 1);
    CHECK(events[0].readable);
    CHECK(events[0].writable);
    CHECK(events[0].hang_up);
    for (int i = 0; i < 100; ++i) CHECK(test.wait(0ns).empty());
}

TEST_CASE("a half-closed peer ends reading and is reported as a hang-up", "[reactor][epoll]") {
    faulty_shard test;
    socket_pair pair;
    REQUIRE_FALSE(test.poller.add(pair.near.get(), 42));
    REQUIRE(test.wait(0ns).size() == 1);
    REQUIRE(::shutdown(pair.far.get(), SHUT_WR) == 0);
    const auto events = test.wait(0ns);
    REQUIRE(events.size() == 1);
    CHECK(events[0].readable);
    CHECK(events[0].hang_up);
}

TEST_CASE("a removed descriptor is silent", "[reactor][epoll]") {
    faulty_shard test;
    socket_pair pair;
    REQUIRE_FALSE(test.poller.add(pair.near.get(), 42));
    REQUIRE_FALSE(test.poller.remove(pair.near.get()));
    pair.send("x");
    CHECK(test.wait(0ns).empty());
    CHECK(test.poller.remove(pair.near.get()) == std::errc::no_such_file_or_directory);
}

TEST_CASE("a wake-up before or during the wait ends it, and is not an event", "[reactor][epoll]") {
    faulty_shard test;
    test.poller.wake();
    CHECK(test.wait(poller::forever).empty());
    std::thread other([&] { test.poller.wake(); });
    CHECK(test.wait(poller::forever).empty());
    other.join();
    for (int i = 0; i < 1000; ++i) test.poller.wake();
    CHECK(test.wait(poller::forever).empty());
    const auto before = steady_clock::now();
    CHECK(test.wait(1ms).empty());  // merged: the thousand woke once
    CHECK(steady_clock::now() - before >= 1ms);
}

TEST_CASE("a wait never ends before its timeout", "[reactor][epoll]") {
    const bool has_pwait2 = GENERATE(true, false);
    for (nanoseconds timeout : {1ns, 999ns, 400us + 0ns, 1ms + 1ns, 3ms + 0ns}) {
        faulty_shard test;
        if (!has_pwait2) test.faults["epoll_pwait2"] = {ENOSYS};
        const auto before = steady_clock::now();
        CHECK(test.wait(timeout).empty());
        CHECK(steady_clock::now() - before >= timeout);
        // Without the nanosecond call the milliseconds are rounded up.
        const auto expected = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
        if (!has_pwait2) CHECK(test.millisecond_waits == expected);
    }
}

TEST_CASE("a refused nanosecond wait is not tried again", "[reactor][epoll]") {
    faulty_shard test;
    const int refusal = GENERATE(ENOSYS, EPERM);
    test.faults["epoll_pwait2"] = {refusal, EBADF};
    CHECK(test.wait(1ns).empty());
    CHECK(test.wait(1ns).empty());
    CHECK(test.faults["epoll_pwait2"].size() == 1);
}

TEST_CASE("a timeout longer than the kernel's milliseconds is clamped", "[reactor][epoll]") {
    faulty_shard test;
    test.faults["epoll_pwait2"] = {ENOSYS};
    test.poller.wake();
    CHECK(test.wait(std::chrono::hours{24 * 365}).empty());
    CHECK(test.millisecond_waits == INT_MAX);
    test.poller.wake();
    CHECK(test.wait(nanoseconds{-1}).empty());
    CHECK(test.millisecond_waits == -1);
}

TEST_CASE("an interrupted wait is an empty one", "[reactor][epoll]") {
    faulty_shard test;
    test.faults["epoll_pwait2"] = {EINTR};
    test.faults["epoll_pwait"] = {EINTR};
    CHECK(test.wait(1ms).empty());
    CHECK(test.wait(poller::forever).empty());
}

TEST_CASE("a failed wait is an error", "[reactor][epoll]") {
    faulty_shard test;
    test.faults["epoll_pwait2"] = {EBADF};
    std::vector<poll_event> events(4);
    const auto count = test.poller.wait(events, 1ms);
    REQUIRE_FALSE(count.has_value());
    CHECK(count.error() == std::errc::bad_file_descriptor);
}

TEST_CASE("an interrupted wake-up is repeated", "[reactor][epoll]") {
    faulty_shard test;
    test.faults["write"] = {EINTR, EINTR};
    test.poller.wake();
    CHECK(test.faults["write"].empty());
    CHECK(test.wait(poller::forever).empty());
}

TEST_CASE("a failed construction closes what it opened", "[reactor][epoll]") {
    const std::size_t before = open_descriptors();
    for (const char* call : {"epoll_create1", "eventfd", "epoll_ctl"}) {
        std::map<std::string, std::vector<int>> faults{{call, {EMFILE}}};
        try {
            epoll_poller<faulty_kernel> failing{faulty_kernel{&faults, nullptr}};
            FAIL("constructed in spite of a failing " << call);
        } catch (const std::system_error& error) {
            CHECK(error.code() == std::errc::too_many_files_open);
        }
        CHECK(open_descriptors() == before);
    }
}

TEST_CASE("a shard passes on each registration failure and recovers", "[reactor][epoll]") {
    std::map<std::string, std::vector<int>> faults;
    reactor_shard shard(
        std::make_unique<epoll_poller<faulty_kernel>>(faulty_kernel{&faults, nullptr}));
    socket_pair pair;
    for (int error : {ENOSPC, ENOMEM, EPERM, EEXIST}) {
        faults["epoll_ctl"] = {error};
        const auto slot = shard.add(pair.near.get());
        REQUIRE_FALSE(slot.has_value());
        CHECK(slot.error() == std::error_code(error, std::system_category()));
        CHECK(shard.registered() == 0);
    }
    auto* slot = shard.add(pair.near.get()).value();
    faults["epoll_ctl"] = {ENOENT};
    shard.close(*slot, [](io_waiter*) {});
    shard.remove(*slot, pair.near.get());
    CHECK(shard.registered() == 0);
}

TEST_CASE("a regular file and a closed descriptor are refused with a typed error",
          "[reactor][epoll]") {
    auto shard = reactor_shard(make_system_poller());
    unique_fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    REQUIRE(file);
    CHECK(shard.add(file.get()).error() == std::errc::operation_not_permitted);
    const int closed = file.get();
    file.reset();
    CHECK(shard.add(closed).error() == std::errc::bad_file_descriptor);
    CHECK(shard.registered() == 0);
}

TEST_CASE("a shard on the real kernel wakes a reader when its data comes", "[reactor][epoll]") {
    reactor_shard shard(make_system_poller());
    socket_pair pair;
    auto* slot = shard.add(pair.near.get()).value();
    io_waiter reader;
    auto poll = [&](nanoseconds timeout) {
        std::vector<io_waiter*> woken;
        REQUIRE(shard.poll(timeout, [&](io_waiter* w) { woken.push_back(w); }).has_value());
        return woken;
    };
    CHECK(poll(0ns).empty());
    // The first event (writable at once) marked only the writer: reading starts empty.
    REQUIRE(slot->word(io_direction::read).prepare(&reader) == io_prepare::waiting);
    ssize_t sent = 0;
    std::thread peer([&] { sent = ::send(pair.far.get(), "x", 1, MSG_NOSIGNAL); });
    CHECK(poll(poller::forever) == std::vector<io_waiter*>{&reader});
    peer.join();
    CHECK(sent == 1);
    CHECK(shard.counters().woken == 1);
    shard.close(*slot, [](io_waiter*) {});
    shard.remove(*slot, pair.near.get());
}

#endif
