// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Adopted descriptors that are no plain TCP: Unix sockets end a read at the end of a record that
// carries descriptors or credentials, although more bytes wait behind it.

#include "net_kit.hpp"

#include <sys/un.h>

#include <array>
#include <cstring>

#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// Sends a record that carries a descriptor: a read takes no byte from behind it.
void send_with_descriptor(int socket, std::string_view text) {
    const int passed = STDIN_FILENO;
    std::array<char, 64> copy{};
    WEFT_MUST(text.size() <= copy.size());
    std::memcpy(copy.data(), text.data(), text.size());
    iovec part{copy.data(), text.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof passed)> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof passed);
    std::memcpy(CMSG_DATA(head), &passed, sizeof passed);
    WEFT_MUST(::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

coro<> read_within_limit(tcp_stream& stream, std::span<std::byte> buffer) {
    co_await with_timeout(5s, stream.read_exactly(buffer));
}

/// On one worker: both records are there before the reader sees the event of the first.
coro<> read_two_records(tcp_stream& stream, int peer) {
    std::array<std::byte, 12> buffer{};
    auto reader = create_task(read_within_limit(stream, buffer));
    co_await sleep(2ms);  // until it waits; too little only makes the test cover less
    send_with_descriptor(peer, "first ");
    WEFT_MUST(::send(peer, "second", 6, MSG_NOSIGNAL) == 6);
    co_await reader;
    WEFT_MUST(text(buffer) == "first second");
}

coro<> adopted_unix_stream() {
    std::array<int, 2> ends{};
    WEFT_MUST(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    tcp_stream stream = tcp_stream::adopt(ends[0]);
    detail::unique_fd peer(ends[1]);
    co_await read_two_records(stream, peer.get());
}

coro<> adopted_unix_listener() {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;  // Linux: bound without a name, the kernel chooses an abstract one
    socklen_t size = sizeof(sa_family_t);
    detail::unique_fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    WEFT_MUST(::bind(listening.get(), reinterpret_cast<sockaddr*>(&name), size) == 0);
    WEFT_MUST(::listen(listening.get(), 4) == 0);
    size = sizeof name;
    WEFT_MUST(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
    detail::unique_fd peer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    WEFT_MUST(::connect(peer.get(), reinterpret_cast<sockaddr*>(&name), size) == 0);
    tcp_listener listener = tcp_listener::adopt(listening.release());
    tcp_stream stream = co_await listener.accept();
    co_await read_two_records(stream, peer.get());
}

}  // namespace

TEST_CASE("an adopted Unix stream reads on behind a record with a descriptor", "[net][adopt]") {
    run_program(adopted_unix_stream(), 1);
}

#if defined(__linux__)
TEST_CASE("an adopted Unix listener accepts streams that do the same", "[net][adopt]") {
    run_program(adopted_unix_listener(), 1);
}
#endif
