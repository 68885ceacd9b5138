// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// One open socket: its descriptor, its registration with a reactor shard, and the gate that says
// who may use it. Streams and listeners own one through socket_owner; operations use it while they
// hold a direction of its gate.
//
// Protocol: socket registration                   checked by: tests/stress/net_stress_test.cpp
// Roles      operation (holds a direction of the gate) · closer · finaliser (see socket_gate)
// Word       slot_: the registration with a reactor shard, made by the first wait; used_[d]: where
//            direction d waited last. Plain pointers, ordered by mutex_ and the gate.
// Fields     fd_ → open until the gate's finalise; slot_ → mutex_; used_[d] → written by the
//            operation that holds d, under mutex_: it alone may read it without; read_, write_ →
//            the operation that holds that direction (gate P2)
// States     none ──first wait──▶ registered ──shard gone, next wait──▶ replaced: closed at once,
//            removed by whoever names it last
// Invariants I1 whoever closes sees the slot, or the one who registers sees the close: both hold
//               mutex_ when they look.
//            I2 a slot is removed only once neither slot_ nor used_ names it. So an operation may
//               touch the slot that its own direction names, whatever the other direction does.
//            I3 only slot_ may be open. Of replaced ones there are two at most, one a direction.
// Races      Reader and writer find at once that their shard is gone: the first replaces slot_; the
//            second still looks into the old slot, which its direction names (I2), then takes the
//            new one and removes the old.
// Shutdown   the finaliser, when no user is left (gate P1), removes every slot, then closes the
//            descriptor
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <mutex>
#include <system_error>
#include <utility>

#include "net/socket_calls.hpp"
#include "net/socket_gate.hpp"
#include "weft/base/unique_fd.hpp"
#include "weft/reactor/reactor_shard.hpp"
#include "weft/task/runnable.hpp"

namespace weft::detail {

/// What one direction remembers between operations.
struct direction_memory {
    /// The last read took less than it had room for: the kernel is empty until the next event, so
    /// the next read waits without asking first.
    bool drained = false;
    /// System calls in a row that did not have to wait.
    std::uint8_t immediate = 0;

    /// How many of those there may be before other tasks get a turn.
    static constexpr std::uint8_t immediate_limit = 64;
    /// True once every `immediate_limit` of them. Asked before a system call, because the turn is a
    /// cancellation point and may not lose bytes or connections.
    [[nodiscard]] bool owes_a_turn() noexcept {
        if (immediate < immediate_limit) return false;
        immediate = 0;
        return true;
    }
};

class socket_state {
public:
    explicit socket_state(unique_fd fd, stream_kind kind = stream_kind::plain_tcp) noexcept
        : kind_(kind), fd_(std::move(fd)) {}
    /// Takes ownership of the descriptor, unless it throws.
    [[nodiscard]] static socket_state* adopt(int fd, bool listening);
    socket_state(const socket_state&) = delete;
    socket_state& operator=(const socket_state&) = delete;

    [[nodiscard]] gate_entry begin(io_direction direction) noexcept {
        return gate_.begin(direction);
    }
    void end(io_direction direction) noexcept { settle(gate_.end(direction)); }
    [[nodiscard]] bool enter_call() noexcept { return gate_.enter_call(); }
    void leave_call() noexcept { settle(gate_.leave_call()); }
    [[nodiscard]] bool is_closed() const noexcept { return gate_.is_closed(); }

    /// Any thread, any number of times. Operations that wait are woken.
    void close() noexcept;
    /// Owner: closes, and lets go of the memory.
    void drop_owner() noexcept;
    /// Owner: gives the descriptor away; -1 while it is in use.
    [[nodiscard]] int release() noexcept;

    [[nodiscard]] stream_kind kind() const noexcept { return kind_; }
    /// Only while the gate keeps the descriptor open.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] direction_memory& memory(io_direction direction) noexcept {
        return direction == io_direction::read ? read_ : write_;
    }
    /// Holder of `direction`. Registers with the shard of the worker that runs `self`, once. The
    /// slot is valid until the next call for this direction, and as long as that is held.
    [[nodiscard]] std::expected<reactor_slot*, std::error_code> slot_for(
        runnable& self, io_direction direction) noexcept;
    /// Holder of the reading direction: may a short read be taken as "no more data now"?
    [[nodiscard]] bool may_infer_drained() noexcept;

private:
    ~socket_state() = default;
    void settle(gate_duty duty) noexcept;
    void close_slot() noexcept;
    void remove_unnamed(reactor_slot* slot) noexcept;
    void remove_slots() noexcept;
    [[nodiscard]] reactor_slot*& used_by(io_direction direction) noexcept {
        return used_[direction == io_direction::read ? 0 : 1];
    }

    socket_gate<real_environment> gate_;
    direction_memory read_;
    direction_memory write_;
    const stream_kind kind_;
    unique_fd fd_;
    std::mutex mutex_;
    reactor_slot* slot_ = nullptr;
    std::array<reactor_slot*, 2> used_{};
};

/// Holds one direction of a socket's gate for the length of an operation.
class direction_hold {
public:
    direction_hold(socket_state* state, io_direction direction) noexcept
        : state_(state), direction_(direction) {
        const gate_entry entry = state == nullptr ? gate_entry::closed : state->begin(direction);
        if (entry == gate_entry::entered) return;
        state_ = nullptr;
        refusal_ =
            std::make_error_code(entry == gate_entry::busy ? std::errc::device_or_resource_busy
                                                           : std::errc::bad_file_descriptor);
    }
    direction_hold(const direction_hold&) = delete;
    direction_hold& operator=(const direction_hold&) = delete;
    ~direction_hold() {
        if (state_ != nullptr) state_->end(direction_);
    }
    /// Empty when the direction is held.
    [[nodiscard]] std::error_code refusal() const noexcept { return refusal_; }

private:
    socket_state* state_;
    io_direction direction_;
    std::error_code refusal_;
};

/// Keeps a descriptor open for one short system call; throws bad_file_descriptor when closed.
class call_hold {
public:
    explicit call_hold(socket_state* state) : state_(state) {
        if (state == nullptr || !state->enter_call()) {
            throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                    "weft: the socket is closed");
        }
    }
    call_hold(const call_hold&) = delete;
    call_hold& operator=(const call_hold&) = delete;
    ~call_hold() { state_->leave_call(); }
    [[nodiscard]] int fd() const noexcept { return state_->fd(); }

private:
    socket_state* state_;
};

}  // namespace weft::detail
