// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The bodies of reads and writes: system call first, wait only after EAGAIN. They know nothing of
// addresses or of the kind of stream socket.
//
// `Result` is std::size_t for "some" (completes with the first bytes) and void for "all".
#pragma once

#include <cstddef>
#include <span>

#include "net/socket_state.hpp"
#include "weft/net/io_operation.hpp"

namespace weft::detail {

template <class Result>
coro<io_result<Result>> read_stream(socket_state* socket, std::span<std::byte> buffer);

template <class Result>
coro<io_result<Result>> write_stream(socket_state* socket, std::span<const std::byte> buffer);

extern template coro<io_result<std::size_t>> read_stream(socket_state*, std::span<std::byte>);
extern template coro<io_result<void>> read_stream(socket_state*, std::span<std::byte>);
extern template coro<io_result<std::size_t>> write_stream(socket_state*,
                                                          std::span<const std::byte>);
extern template coro<io_result<void>> write_stream(socket_state*, std::span<const std::byte>);

}  // namespace weft::detail
