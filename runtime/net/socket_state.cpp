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
        remove_slots();
        fd_.reset();
        duty = gate_.finish_finalise();
    }
    if (duty == gate_duty::free) delete this;
}

void socket_state::close() noexcept {
    if (!gate_.begin_close()) return;
    {
        // I1: slot_for() looks at the gate under this lock.
        std::scoped_lock lock(mutex_);
        close_slot();
    }
    settle(gate_.leave_call());
}

void socket_state::drop_owner() noexcept {
    close();
    settle(gate_.drop_owner());
}

int socket_state::release() noexcept {
    if (!gate_.try_close_unused()) return -1;
    close_slot();
    remove_slots();
    const int fd = fd_.release();
    // The owner is still there, so this never frees.
    static_cast<void>(gate_.finish_finalise());
    return fd;
}

/// Under mutex_, or without users. Waking under the lock is safe, a waker only queues a task.
void socket_state::close_slot() noexcept {
    if (slot_ == nullptr) return;
    reactor_shard::close(*slot_, [](io_waiter* waiter) { waiter->wake(waiter); });
}

/// Under mutex_, or without users; after a name of `slot` was taken away.
void socket_state::remove_unnamed(reactor_slot* slot) noexcept {
    if (slot == nullptr || slot == slot_ || slot == used_[0] || slot == used_[1]) return;
    reactor_shard::remove(*slot, fd_.get());
}

void socket_state::remove_slots() noexcept {
    for (reactor_slot** name : {&slot_, &used_[0], &used_[1]}) {
        remove_unnamed(std::exchange(*name, nullptr));
    }
}

std::expected<reactor_slot*, std::error_code> socket_state::slot_for(
    runnable& self, io_direction direction) noexcept {
    reactor_slot*& mine = used_by(direction);
    if (mine != nullptr && !reactor_shard::is_orphaned(*mine)) return mine;  // I2
    std::scoped_lock lock(mutex_);
    if (gate_.is_closed()) {
        return std::unexpected(std::make_error_code(std::errc::operation_canceled));
    }
    if (slot_ != nullptr && reactor_shard::is_orphaned(*slot_)) {
        // The runtime that polled for it has ended. The other direction may still look into it.
        // Its slot may have to stay a while, its registration need not.
        close_slot();
        static_cast<void>(slot_->owner()->kernel->remove(fd_.get()));
        remove_unnamed(std::exchange(slot_, nullptr));
    }
    remove_unnamed(std::exchange(mine, nullptr));  // of an ended runtime, or null
    if (slot_ == nullptr) {
        const auto added = self.worker->reactor().add(fd_.get());
        if (!added) return added;
        slot_ = *added;
    }
    mine = slot_;
    return mine;
}

bool socket_state::may_infer_drained() noexcept {
    if (kind_ != stream_kind::plain_tcp) return false;
    reactor_slot* slot = used_by(io_direction::read);  // I2
    // Registering reports what is there already, so a direction that has not waited in the present
    // slot yet has an event left.
    return slot == nullptr || !slot->word(io_direction::read).has_hang_up();
}

}  // namespace weft::detail
