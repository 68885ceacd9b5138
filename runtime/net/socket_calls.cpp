// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "net/socket_calls.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace weft::detail {

namespace {

#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
constexpr bool has_socket_flags = true;
#else
// Fact: macOS has neither SOCK_NONBLOCK nor accept4.
constexpr bool has_socket_flags = false;
constexpr int SOCK_NONBLOCK = 0;
constexpr int SOCK_CLOEXEC = 0;
#endif

#if defined(MSG_NOSIGNAL)
constexpr int send_flags = MSG_NOSIGNAL;
#else
constexpr int send_flags = 0;  // SO_NOSIGPIPE is set on each socket instead
#endif

struct address_storage {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

address_storage to_address(const net::endpoint& from) noexcept {
    address_storage to;
    if (from.is_v6()) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(from.port());
        address.sin6_scope_id = from.scope();
        std::memcpy(&address.sin6_addr, from.bytes().data(), 16);
        std::memcpy(&to.storage, &address, sizeof address);
        to.size = sizeof address;
    } else {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(from.port());
        std::memcpy(&address.sin_addr, from.bytes().data(), 4);
        std::memcpy(&to.storage, &address, sizeof address);
        to.size = sizeof address;
    }
    return to;
}

net::endpoint from_address(const address_storage& from) {
    if (from.storage.ss_family == AF_INET6) {
        sockaddr_in6 address{};
        std::memcpy(&address, &from.storage, sizeof address);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
        return {bytes, ntohs(address.sin6_port), address.sin6_scope_id};
    }
    if (from.storage.ss_family != AF_INET) {
        throw std::system_error(system_error_code(EAFNOSUPPORT), "weft: not an IP socket");
    }
    sockaddr_in address{};
    std::memcpy(&address, &from.storage, sizeof address);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &address.sin_addr, bytes.size());
    return {bytes, ntohs(address.sin_port)};
}

[[noreturn]] void throw_errno(const char* call) {
    throw std::system_error(system_error_code(errno), call);
}

/// 0 or errno.
int make_asynchronous(int fd) noexcept {
    const int status = ::fcntl(fd, F_GETFL);
    if (status < 0 || ::fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0) return errno;
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0) return errno;
    return 0;
}

/// What a new descriptor lacks on this platform; 0 or errno.
int complete_socket([[maybe_unused]] int fd) noexcept {
    if constexpr (!has_socket_flags) {
        if (int error = make_asynchronous(fd)) return error;
    }
#if !defined(MSG_NOSIGNAL)
    const int on = 1;
    if (::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) < 0) return errno;
#endif
    return 0;
}

#if defined(SO_DOMAIN) && defined(SO_PROTOCOL)
/// -1: the socket does not know it.
int integer_option(int fd, int option) noexcept {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}
#endif

}  // namespace

bool transfer_result::would_block() const noexcept {
    return error == EAGAIN || error == EWOULDBLOCK;
}

std::error_code system_error_code(int error) noexcept { return {error, std::system_category()}; }

std::expected<unique_fd, std::error_code> open_stream_socket(
    net::endpoint::family family) noexcept {
    const int domain = family == net::endpoint::family::v6 ? AF_INET6 : AF_INET;
    unique_fd fd(::socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return std::unexpected(system_error_code(errno));
    if (int error = complete_socket(fd.get())) return std::unexpected(system_error_code(error));
    return fd;
}

int start_connect(int fd, const net::endpoint& peer) noexcept {
    address_storage address = to_address(peer);
    if (::connect(fd, address.get(), address.size) == 0) return 0;
    // Fact: an interrupted connect goes on in the background.
    return errno == EINTR ? EINPROGRESS : errno;
}

std::error_code connect_outcome(int fd) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
    if (error != 0) return system_error_code(error);
    address_storage peer;
    if (::getpeername(fd, peer.get(), &peer.size) == 0) return {};
    return system_error_code(errno == ENOTCONN ? EINPROGRESS : errno);
}

accept_result accept_socket(int fd) noexcept {
    int accepted = -1;
    do {
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
        accepted = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
        accepted = ::accept(fd, nullptr, nullptr);
#endif
    } while (accepted < 0 && errno == EINTR);
    if (accepted < 0) return {unique_fd{}, errno};
    unique_fd owned(accepted);
    if (int error = complete_socket(accepted)) return {unique_fd{}, error};
    return {std::move(owned), 0};
}

transfer_result receive(int fd, std::span<std::byte> buffer) noexcept {
    for (;;) {
        const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (count >= 0) return {static_cast<std::size_t>(count), 0};
        if (errno != EINTR) return {0, errno};
    }
}

transfer_result send(int fd, std::span<const std::byte> buffer) noexcept {
    for (;;) {
        const ssize_t count = ::send(fd, buffer.data(), buffer.size(), send_flags);
        if (count >= 0) return {static_cast<std::size_t>(count), 0};
        if (errno != EINTR) return {0, errno};
    }
}

void check_adoptable(int fd, bool listening) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) throw_errno("weft: adopt");
    int accepts = 0;
    size = sizeof accepts;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) < 0) {
        throw_errno("weft: adopt");
    }
    if (type != SOCK_STREAM || (accepts != 0) != listening) {
        throw std::system_error(system_error_code(EINVAL),
                                listening ? "weft: adopt needs a listening stream socket"
                                          : "weft: adopt needs a connected stream socket");
    }
    address_storage peer;
    if (!listening && ::getpeername(fd, peer.get(), &peer.size) < 0) throw_errno("weft: adopt");
    if (int error = make_asynchronous(fd)) {
        throw std::system_error(system_error_code(error), "weft: adopt");
    }
    static_cast<void>(complete_socket(fd));
}

stream_kind kind_of(int fd) noexcept {
#if defined(SO_DOMAIN) && defined(SO_PROTOCOL)
    const int domain = integer_option(fd, SO_DOMAIN);
    const int protocol = integer_option(fd, SO_PROTOCOL);
#else
    // Fact: macOS has neither option; its streams over IP are TCP.
    address_storage local;
    const bool named = ::getsockname(fd, local.get(), &local.size) == 0;
    const int domain = named ? local.storage.ss_family : AF_UNSPEC;
    const int protocol = IPPROTO_TCP;
#endif
    if (domain != AF_INET && domain != AF_INET6) return stream_kind::other;
    if (protocol != IPPROTO_TCP) return stream_kind::other;
#if defined(TCP_ULP)
    std::array<char, 16> layer{};
    socklen_t size = layer.size();
    const bool known = ::getsockopt(fd, IPPROTO_TCP, TCP_ULP, layer.data(), &size) == 0;
    if (known && size > 0) return stream_kind::other;
#endif
    return stream_kind::plain_tcp;
}

void set_option(int fd, int level, int option, const void* value, std::size_t size) {
    if (::setsockopt(fd, level, option, value, static_cast<socklen_t>(size)) < 0) {
        throw_errno("setsockopt");
    }
}

void bind_and_listen(int fd, const net::endpoint& local, int backlog) {
    address_storage address = to_address(local);
    if (::bind(fd, address.get(), address.size) < 0) throw_errno("bind");
    if (::listen(fd, backlog) < 0) throw_errno("listen");
}

net::endpoint local_endpoint_of(int fd) {
    address_storage address;
    if (::getsockname(fd, address.get(), &address.size) < 0) throw_errno("getsockname");
    return from_address(address);
}

net::endpoint remote_endpoint_of(int fd) {
    address_storage address;
    if (::getpeername(fd, address.get(), &address.size) < 0) throw_errno("getpeername");
    return from_address(address);
}

}  // namespace weft::detail
