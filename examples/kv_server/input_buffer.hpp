// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the bytes of one connection that were received and not yet understood. The network writes
// into prepare(), the parser reads unread() in place and consume()s whole requests, so a request is
// never copied on its way to the command. Memory moves only when room is needed: each byte is moved
// a bounded number of times however small the pieces in which it arrives.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace kv {

class input_buffer {
public:
    /// Room for the next read, at least one byte. Valid until the next call of a non-const member.
    [[nodiscard]] std::span<std::byte> prepare();
    /// The first `count` bytes of prepare() are now filled.
    void commit(std::size_t count) noexcept {
        filled_ += count;
        was_full_ = filled_ == capacity_;
    }

    [[nodiscard]] std::string_view unread() const noexcept {
        return {reinterpret_cast<const char*>(memory_.get()) + consumed_, filled_ - consumed_};
    }
    void consume(std::size_t count) noexcept { consumed_ += count; }

    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

private:
    void make_room();
    void move_to(std::size_t capacity);

    // A new connection gets little. One whose read filled the buffer has more to say, and gets
    // enough to take in a whole pipeline at once; only a single large request gets more than that.
    static constexpr std::size_t first_capacity = 1024;
    static constexpr std::size_t usual_capacity = 16 * 1024;

    std::unique_ptr<std::byte[]> memory_;
    std::size_t capacity_ = 0;
    std::size_t consumed_ = 0;  // invariant: consumed_ <= filled_ <= capacity_
    std::size_t filled_ = 0;
    bool was_full_ = true;  // after the last read
};

// ---------------------------------------------------------------------------------------------

inline std::span<std::byte> input_buffer::prepare() {
    if (consumed_ == filled_) consumed_ = filled_ = 0;
    if (was_full_ || filled_ == 0) make_room();
    return {memory_.get() + filled_, capacity_ - filled_};
}

inline void input_buffer::make_room() {
    const std::size_t unread_bytes = filled_ - consumed_;
    if (capacity_ == 0) {
        move_to(first_capacity);
    } else if (unread_bytes == 0 && capacity_ > usual_capacity) {
        move_to(usual_capacity);
    } else if (was_full_ && capacity_ < usual_capacity) {
        move_to(usual_capacity);
    } else if (unread_bytes > capacity_ / 2) {
        move_to(capacity_ * 2);
    } else if (consumed_ != 0) {  // moves at most half of what will be read: amortised
        std::memmove(memory_.get(), memory_.get() + consumed_, unread_bytes);
        consumed_ = 0;
        filled_ = unread_bytes;
    }
    was_full_ = false;
}

inline void input_buffer::move_to(std::size_t capacity) {
    const std::size_t unread_bytes = filled_ - consumed_;
    auto memory = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (unread_bytes != 0) std::memcpy(memory.get(), memory_.get() + consumed_, unread_bytes);
    memory_ = std::move(memory);
    capacity_ = capacity;
    consumed_ = 0;
    filled_ = unread_bytes;
}

}  // namespace kv
