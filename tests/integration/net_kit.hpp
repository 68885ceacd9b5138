// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the network tests share: connected pairs, raw blocking peers, and the check that a test left
// no descriptor open. Catch2's assertions belong to one thread; inside tasks use WEFT_MUST.
#pragma once

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/seed.hpp"
#include "weft/base/unique_fd.hpp"
#include "weft/net/tcp_listener.hpp"
#include "weft/net/tcp_stream.hpp"
#include "weft/runtime.hpp"

#define WEFT_MUST(condition)                                                         \
    do {                                                                             \
        if (!(condition)) {                                                          \
            throw std::logic_error(std::string("line ") + std::to_string(__LINE__) + \
                                   ": " #condition);                                 \
        }                                                                            \
    } while (false)

namespace weft::test {

using namespace std::chrono_literals;
using net::endpoint;
using net::tcp_listener;
using net::tcp_stream;

[[nodiscard]] inline std::size_t open_descriptors() {
    DIR* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) return 0;
    std::size_t count = 0;
    while (::readdir(directory) != nullptr) ++count;
    ::closedir(directory);
    return count;
}

/// Runs a program on two workers and checks that every descriptor was closed by the end.
template <class T>
T run_program(coro<T> main, unsigned workers = 2) {
    struct descriptor_check {
        std::size_t before = open_descriptors();
        ~descriptor_check() { CHECK(open_descriptors() == before); }
    } check;
    return run(std::move(main), runtime_options{.workers = workers});
}

[[nodiscard]] inline std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}
[[nodiscard]] inline std::string text(std::span<const std::byte> data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

/// Bytes that name their own position, so that a lost, doubled or moved byte is seen.
[[nodiscard]] inline std::vector<std::byte> pattern(std::size_t size, std::uint32_t seed = 1) {
    std::vector<std::byte> data(size);
    std::uint32_t state = seed * 2654435761U + 1;
    for (std::byte& each : data) {
        state = state * 1664525U + 1013904223U;
        each = static_cast<std::byte>(state >> 24);
    }
    return data;
}

struct stream_pair {
    stream_pair(tcp_stream a, tcp_stream b) : near(std::move(a)), far(std::move(b)) {}
    tcp_stream near;
    tcp_stream far;
};

/// Two ends of one connection.
inline coro<stream_pair> connected_pair(endpoint local = endpoint::loopback_v4(0)) {
    tcp_listener listener = tcp_listener::bind(local);
    // The kernel's queue completes the connection before anybody accepts.
    tcp_stream far = co_await tcp_stream::connect(listener.local_endpoint());
    tcp_stream near = co_await listener.accept();
    co_return stream_pair(std::move(near), std::move(far));
}

/// Reads until the end of the stream.
inline coro<std::vector<std::byte>> read_all(tcp_stream& from, std::size_t step = 4096) {
    std::vector<std::byte> all;
    std::vector<std::byte> buffer(step);
    for (;;) {
        const std::size_t count = co_await from.read_some(buffer);
        if (count == 0) co_return all;
        all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
    }
}

/// A blocking client made of bare system calls.
inline detail::unique_fd raw_connect(const endpoint& to) {
    detail::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    WEFT_MUST(fd);
    WEFT_MUST(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

/// Closes with a reset instead of an end of stream.
inline void raw_reset(detail::unique_fd& fd) {
    ::linger now{};
    now.l_onoff = 1;
    WEFT_MUST(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    fd.reset();
}

}  // namespace weft::test
