// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// oneshot: one value from one sender to one receiver. One allocation; no lock.
//
// Protocol: oneshot                        checked by: tests/stress/oneshot_stress_test.cpp
// Roles      sender (once, any thread) · receiver (one task at a time) · its canceller
// Word       empty | address of the waiting receive | sent | sender gone | receiver gone
// States     empty ──receive──▶ waiting ──send, or sender dropped──▶ sent | sender gone
//            waiting ──cancel──▶ empty
// Invariants O1 whoever replaces the address owns the wake-up: the sender wakes, or the canceller
//            has unlinked and the value, if it comes, stays for the next receive.
// Edges      O2 sent release → receive acquire: the value
//            O3 waiting release → send acquire: the receive in the frame
//            O4 last drop: every use of the shared block
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "weft/error.hpp"
#include "weft/task/coro.hpp"

namespace weft {

/// The sender went away without sending: nothing will come.
class channel_closed : public std::runtime_error {
public:
    channel_closed() : std::runtime_error("weft: the sender is gone and nothing was sent") {}
};

namespace detail {

class oneshot_receive;

/// The word and the reference count, whatever the value.
class oneshot_state {
public:
    oneshot_state() noexcept = default;
    oneshot_state(const oneshot_state&) = delete;
    oneshot_state& operator=(const oneshot_state&) = delete;

    [[nodiscard]] bool is_settled() const noexcept {
        return word_.load(std::memory_order_acquire) != empty;  // O2: only the receiver asks
    }
    [[nodiscard]] bool has_value() const noexcept {
        return word_.load(std::memory_order_acquire) == sent;  // O2
    }
    [[nodiscard]] bool is_closed() const noexcept {
        return word_.load(std::memory_order_acquire) == sender_gone;  // O2
    }
    /// False if the receiver is gone.
    bool settle(bool with_value) noexcept;
    [[nodiscard]] bool begin_wait(oneshot_receive& waiter) noexcept;
    [[nodiscard]] bool unlink(oneshot_receive& waiter) noexcept;
    /// True if a value was sent and nobody will take it.
    [[nodiscard]] bool abandon() noexcept;
    [[nodiscard]] bool drop() noexcept {
        return references_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // O4
    }

private:
    static constexpr std::uintptr_t empty = 0, sent = 1, sender_gone = 2, receiver_gone = 3;
    real_environment::atomic<std::uintptr_t> word_{empty};
    real_environment::atomic<std::uint32_t> references_{2};
};

template <class T>
struct oneshot_block : oneshot_state {
    std::optional<T> value;
    static oneshot_block* make() {
        return new (allocate_block(sizeof(oneshot_block))) oneshot_block;
    }
    static void release(oneshot_block* block) noexcept {
        if (!block->drop()) return;
        block->~oneshot_block();
        free_block(block, sizeof(oneshot_block));
    }
};

/// The part of a receive that does not depend on the value.
class oneshot_receive : public operation {
public:
    explicit oneshot_receive(oneshot_state& state) noexcept : state_(state) {}
    oneshot_receive(const oneshot_receive&) = delete;
    oneshot_receive& operator=(const oneshot_receive&) = delete;
    bool await_ready() const noexcept { return state_.is_settled(); }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    void wake_up() noexcept { wake(*self_); }

protected:
    ~oneshot_receive() = default;
    /// At the resumption: throws `cancelled`, channel_closed, or usage_error for a second receiver.
    void end();

private:
    bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;
    oneshot_state& state_;
    runnable* self_ = nullptr;
};

}  // namespace detail

/// The sending end: move-only, any thread. Dropping it unsent wakes the receiver with an error.
template <class T>
class oneshot_sender {
public:
    oneshot_sender(oneshot_sender&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)) {}
    oneshot_sender& operator=(oneshot_sender&& other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~oneshot_sender() {
        if (block_ == nullptr) return;
        block_->settle(false);
        detail::oneshot_block<T>::release(block_);
    }

    /// Never waits. Gives the value back if the receiver is gone. Once: later calls are misuse,
    /// except after T's move has thrown.
    std::optional<T> send(T value) {
        WEFT_CHECK(block_ != nullptr, "a oneshot sends once; this sender was used or moved from");
        block_->value.emplace(std::move(value));  // may throw: then nothing was sent
        const std::unique_ptr<detail::oneshot_block<T>, release> sent{
            std::exchange(block_, nullptr)};
        if (sent->settle(true)) return std::nullopt;
        return std::optional<T>{std::move(*sent->value)};
    }

private:
    struct release {
        void operator()(detail::oneshot_block<T>* block) const noexcept {
            detail::oneshot_block<T>::release(block);
        }
    };
    template <class U>
    friend auto make_oneshot();
    explicit oneshot_sender(detail::oneshot_block<T>* block) noexcept : block_(block) {}
    detail::oneshot_block<T>* block_;
};

/// The receiving end: move-only, awaited by one task at a time: `co_await receiver` gives T, once,
/// or throws channel_closed. It must outlive the await. Cancellation loses nothing: the value stays
/// for the next await.
template <class T>
class oneshot_receiver {
    class receive final : public detail::oneshot_receive {
    public:
        explicit receive(detail::oneshot_block<T>& block) noexcept
            : oneshot_receive(block), block_(block) {}
        T await_resume() {
            end();
            return std::move(*block_.value);
        }

    private:
        detail::oneshot_block<T>& block_;
    };

public:
    oneshot_receiver(oneshot_receiver&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)) {}
    oneshot_receiver& operator=(oneshot_receiver&& other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~oneshot_receiver() {
        if (block_ == nullptr) return;
        if (block_->abandon()) block_->value.reset();
        detail::oneshot_block<T>::release(block_);
    }

    [[nodiscard]] receive operator co_await() noexcept {
        WEFT_CHECK(block_ != nullptr, "this oneshot receiver was moved from");
        return receive{*block_};
    }

private:
    template <class U>
    friend auto make_oneshot();
    explicit oneshot_receiver(detail::oneshot_block<T>* block) noexcept : block_(block) {}
    detail::oneshot_block<T>* block_;
};

template <class T>
struct oneshot_pair {
    oneshot_sender<T> sender;
    oneshot_receiver<T> receiver;
};

/// `auto [sender, receiver] = weft::make_oneshot<int>();` Throws std::bad_alloc. Any thread.
template <class T>
[[nodiscard]] auto make_oneshot() {
    auto* block = detail::oneshot_block<T>::make();
    return oneshot_pair<T>{oneshot_sender<T>{block}, oneshot_receiver<T>{block}};
}

}  // namespace weft
