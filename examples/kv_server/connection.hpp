// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: one client's stream and session, and the coroutine that carries bytes between them.
//
// How the server ends it from outside: finish() ends the read that waits, no other await. What had
// arrived by then is executed and answered, then the writing side ends, and what the client still
// sends is dropped until it leaves or has taken every answer. A socket that is closed with unread
// bytes in it resets the connection, and the kernel forgets the answers that it had not sent yet.
//
// Protocol: ending a read
// Roles      the connection's task · finisher (the server, once)
// Word       stage_: busy · waiting (in read_some, which a cancellation leaves whole) · finishing
// Fields     self_ → written by the task before it first waits
// Invariant  the task is cancelled only if it was waiting, and it leaves read() only after that
//            cancellation was given and taken back: no other await ever meets it.
// Edges      P1 busy → waiting release, exchange acquire: self_
//            P2 the finisher exchanges and cancels with finish_mutex_ held; the task, once it sees
//               that it was meant, passes through the mutex
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <weft/net/tcp_stream.hpp>
#include <weft/weft.hpp>

#include "entry.hpp"
#include "session.hpp"
#include "sweeper.hpp"

namespace kv {

class connection {
public:
    connection(service& host, std::uint64_t id, weft::net::tcp_stream stream);

    /// Reads, executes and answers until the client leaves, breaks the protocol or is told to go.
    /// Throws nothing but `weft::cancelled`.
    weft::coro<> serve(sweeper& expiry);

    /// Answers the requests that have arrived and starts none that arrives later; then serve()
    /// waits until the client has taken the answers. Any task, while serve() runs.
    void finish() noexcept;
    /// Both directions end at once. Any task, while serve() runs.
    void disconnect() noexcept;

    /// When the client last sent bytes or took some, on the steady clock.
    [[nodiscard]] deadline last_active() const noexcept {
        return deadline(milliseconds(last_active_.load(std::memory_order_relaxed)));
    }

private:
    enum class stage : std::uint8_t { busy, waiting, finishing };

    bool prepare_stream() noexcept;
    weft::coro<bool> read();
    weft::coro<bool> read_last();
    weft::coro<bool> answer(sweeper& expiry);
    weft::coro<> part();
    weft::coro<> discard(std::size_t& count);

    [[nodiscard]] std::size_t held(unsigned long request) const noexcept;
    bool begin_waiting() noexcept;
    bool end_waiting() noexcept;
    [[nodiscard]] bool is_finishing() const noexcept {
        return stage_.load(std::memory_order_relaxed) == stage::finishing;  // a hint: P2 is exact
    }
    [[nodiscard]] bool is_over() const noexcept {
        return is_over_.load(std::memory_order_relaxed);  // looked at again and again
    }
    void note_time(deadline now) noexcept {
        last_active_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    }

    weft::net::tcp_stream stream_;
    session session_;
    // A date that the idle sweep compares; it orders nothing, so relaxed.
    std::atomic<milliseconds::rep> last_active_;

    std::atomic<stage> stage_{stage::busy};
    std::atomic<bool> is_over_{false};  // disconnect() was called
    std::mutex finish_mutex_;
    weft::any_task self_;
    std::optional<std::size_t> last_bytes_;  // how many read_last() may still read
};

}  // namespace kv
