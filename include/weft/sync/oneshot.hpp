// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// oneshot: one value from one sender to one receiver. One allocation; no lock. The protocol is its
// word's: oneshot_word.hpp.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "weft/error.hpp"
#include "weft/sync/oneshot_word.hpp"
#include "weft/task/coro.hpp"
#include "weft/task/ready_turn.hpp"

namespace weft {

/// The sender went away without sending: nothing will come.
class channel_closed : public std::runtime_error {
public:
    channel_closed() : std::runtime_error("weft: the sender is gone and nothing was sent") {}
};

namespace detail {

class oneshot_receive;

using oneshot_state = oneshot_word<real_environment, oneshot_receive>;

template <class T>
struct oneshot_block {
    oneshot_state state;
    std::optional<T> value;

    static oneshot_block* make() {
        return new (allocate_block(sizeof(oneshot_block))) oneshot_block;
    }
    struct free {
        void operator()(oneshot_block* block) const noexcept {
            block->~oneshot_block();
            free_block(block, sizeof(oneshot_block));
        }
    };
    /// Of the end that found the other one gone.
    using owner = std::unique_ptr<oneshot_block, free>;
};

/// The sender's last word. False if the receiver is gone.
[[nodiscard]] bool settle(oneshot_state& state, bool with_value) noexcept;

/// The part of a receive that does not depend on the value.
class oneshot_receive : public operation {
public:
    explicit oneshot_receive(oneshot_state& state) noexcept : state_(state) {}
    oneshot_receive(const oneshot_receive&) = delete;
    oneshot_receive& operator=(const oneshot_receive&) = delete;
    bool await_ready() const noexcept { return state_.is_settled() && may_go_on(); }
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
    bool is_second_ = false;  // another task waits already
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
        if (block_ == nullptr || detail::settle(block_->state, false)) return;
        const typename detail::oneshot_block<T>::owner last{block_};
    }

    /// Never waits. Gives the value back if the receiver is gone. Once: later calls are misuse,
    /// except after T's move has thrown.
    std::optional<T> send(T value) {
        WEFT_CHECK(block_ != nullptr, "a oneshot sends once; this sender was used or moved from");
        block_->value.emplace(std::move(value));  // may throw: then nothing was sent
        detail::oneshot_block<T>* const block = std::exchange(block_, nullptr);
        if (detail::settle(block->state, true)) return std::nullopt;
        const typename detail::oneshot_block<T>::owner last{block};
        return std::optional<T>{std::move(*block->value)};
    }

private:
    template <class U>
    friend auto make_oneshot();
    explicit oneshot_sender(detail::oneshot_block<T>* block) noexcept : block_(block) {}
    detail::oneshot_block<T>* block_;
};

/// The receiving end: move-only, awaited by one task at a time: `co_await receiver` gives T, once,
/// or throws channel_closed. It must outlive the await. Cancellation loses nothing: the value stays
/// for the next await. Awaiting a value that was sent does not suspend, but each 128th await of one
/// run that need not lets go first what is ready.
template <class T>
class oneshot_receiver {
    class receive final : public detail::oneshot_receive {
    public:
        explicit receive(detail::oneshot_block<T>& block) noexcept
            : oneshot_receive(block.state), block_(block) {}
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
        if (block_ == nullptr || !block_->state.leave()) return;
        const typename detail::oneshot_block<T>::owner last{block_};
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
