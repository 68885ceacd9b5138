// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "net/socket_state.hpp"

#include "weft/net/tcp_stream.hpp"

namespace weft::detail {

socket_owner::~socket_owner() {
    if (state_ != nullptr) state_->drop_owner();
}

socket_state* socket_state::adopt(int fd, bool listening) {
    check_adoptable(fd, listening);
    // Nothing owns the descriptor until nothing can fail.
    auto* state = new socket_state(unique_fd{}, kind_of(fd));
    state->fd_.reset(fd);
    return state;
}

void socket_state::settle(gate_duty duty) noexcept {
    if (duty == gate_duty::finalise) {
        remove_slot();
        fd_.reset();
        duty = gate_.finish_finalise();
    }
    if (duty == gate_duty::free) delete this;
}

void socket_state::close() noexcept {
    if (!gate_.begin_close()) return;
    {
        // slot_for() looks at the gate under this lock: either it sees the close, or its slot is
        // seen here. Waking under the lock is safe, a waker only queues a task.
        std::scoped_lock lock(mutex_);
        if (reactor_slot* slot = slot_.load(std::memory_order_relaxed)) {  // I1: mutex_ orders
            reactor_shard::close(*slot, [](io_waiter* waiter) { waiter->wake(waiter); });
        }
    }
    settle(gate_.leave_call());
}

void socket_state::drop_owner() noexcept {
    close();
    settle(gate_.drop_owner());
}

int socket_state::release() noexcept {
    if (!gate_.try_close_unused()) return -1;
    if (reactor_slot* slot = slot_.load(std::memory_order_relaxed)) {  // gate P1: no user left
        reactor_shard::close(*slot, [](io_waiter* waiter) { waiter->wake(waiter); });
    }
    remove_slot();
    const int fd = fd_.release();
    // The owner is still there, so this never frees.
    static_cast<void>(gate_.finish_finalise());
    return fd;
}

void socket_state::remove_slot() noexcept {
    reactor_slot* slot = slot_.load(std::memory_order_relaxed);  // gate P1: no user left
    if (slot == nullptr) return;
    slot_.store(nullptr, std::memory_order_relaxed);  // gate P1: no user left
    reactor_shard::remove(*slot, fd_.get());
}

std::expected<reactor_slot*, std::error_code> socket_state::slot_for(runnable& self) noexcept {
    reactor_slot* slot = slot_.load(std::memory_order_acquire);  // P1: the slot
    if (slot != nullptr && !reactor_shard::is_orphaned(*slot)) return slot;
    std::scoped_lock lock(mutex_);
    if (gate_.is_closed()) {
        return std::unexpected(std::make_error_code(std::errc::operation_canceled));
    }
    slot = slot_.load(std::memory_order_relaxed);  // I1: mutex_ orders
    if (slot != nullptr && !reactor_shard::is_orphaned(*slot)) return slot;
    if (slot != nullptr) {
        // The runtime that polled for it has ended, and nobody can wait in it.
        reactor_shard::close(*slot, [](io_waiter* waiter) { waiter->wake(waiter); });
        slot_.store(nullptr, std::memory_order_relaxed);  // I1: mutex_ orders
        reactor_shard::remove(*slot, fd_.get());
    }
    auto added = self.worker->reactor().add(fd_.get());
    if (added) slot_.store(*added, std::memory_order_release);  // P1: the slot
    return added;
}

bool socket_state::may_infer_drained() noexcept {
    if (kind_ != stream_kind::plain_tcp) return false;
    reactor_slot* slot = slot_.load(std::memory_order_acquire);  // P1: the slot
    // Without a slot the first wait registers, and registering reports what is there already.
    return slot == nullptr || !slot->word(io_direction::read).has_hang_up();
}

}  // namespace weft::detail
