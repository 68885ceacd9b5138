// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a modelled thread knows. Two notions that C++ keeps apart are kept apart here:
//   view          per atomic location the newest store that the thread is obliged to see; a load
//   may
//                 return that store or any later one (coherence), so an old view is a stale load
//   vector_clock  which events of which threads happen before the thread's next event; plain cells
//                 are judged by it
// The pair travels with every release store and is joined by the acquire load that reads it. The
// memory model is the view machine of Lahav et al., "Repairing sequential consistency in C/C++11"
// (2017) and Kang et al., "A promising semantics for relaxed-memory concurrency" (2017), without
// promises: store buffering and message reordering are there, load buffering is not, and stores to
// one location take effect in the order in which they are executed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

namespace weft::model {

inline constexpr std::size_t max_threads = 8;
inline constexpr std::size_t max_locations = 256;

/// The place of a store in the modification order of its location; 0 is the initial value.
using stamp = std::uint16_t;

class view {
public:
    view() = default;
    view(const view& other) noexcept { *this = other; }
    view& operator=(const view& other) noexcept {
        if (this == &other) return *this;
        size_ = other.size_;
        std::memcpy(at_, other.at_, size_ * sizeof(stamp));
        return *this;
    }

    [[nodiscard]] stamp of(std::size_t location) const noexcept {
        return location < size_ ? at_[location] : stamp{0};
    }
    void raise(std::size_t location, stamp to) noexcept {
        if (location >= size_) extend(location + 1);
        at_[location] = std::max(at_[location], to);
    }
    void join(const view& other) noexcept {
        if (other.size_ > size_) extend(other.size_);
        for (std::size_t i = 0; i < other.size_; ++i) at_[i] = std::max(at_[i], other.at_[i]);
    }
    void clear() noexcept { size_ = 0; }

private:
    void extend(std::size_t size) noexcept {
        std::memset(at_ + size_, 0, (size - size_) * sizeof(stamp));
        size_ = size;
    }

    std::size_t size_ = 0;
    stamp at_[max_locations];
};

/// An event of a thread; time 0 stands for "no event yet".
struct epoch {
    std::uint8_t thread = 0;
    std::uint32_t time = 0;
};

class vector_clock {
public:
    [[nodiscard]] bool covers(epoch event) const noexcept {
        return at_[event.thread] >= event.time;
    }
    [[nodiscard]] bool covers(const vector_clock& other) const noexcept {
        for (std::size_t i = 0; i < max_threads; ++i) {
            if (at_[i] < other.at_[i]) return false;
        }
        return true;
    }
    void join(const vector_clock& other) noexcept {
        for (std::size_t i = 0; i < max_threads; ++i) at_[i] = std::max(at_[i], other.at_[i]);
    }
    [[nodiscard]] std::uint32_t of(std::size_t thread) const noexcept { return at_[thread]; }
    void set(std::size_t thread, std::uint32_t time) noexcept { at_[thread] = time; }
    void tick(std::size_t thread) noexcept { ++at_[thread]; }
    void clear() noexcept { at_ = {}; }

private:
    std::array<std::uint32_t, max_threads> at_{};
};

struct knowledge {
    view seen;
    vector_clock before;

    void join(const knowledge& other) noexcept {
        seen.join(other.seen);
        before.join(other.before);
    }
    void clear() noexcept {
        seen.clear();
        before.clear();
    }
};

/// The engine's own memory, which the allocation tracking must not count to the code under test.
template <class T>
struct untracked_allocator {
    using value_type = T;
    untracked_allocator() = default;
    template <class U>
    untracked_allocator(const untracked_allocator<U>&) noexcept {}  // implicit: rebinding
    T* allocate(std::size_t count) {
        void* memory = std::malloc(count * sizeof(T));
        if (memory == nullptr) throw std::bad_alloc{};
        return static_cast<T*>(memory);
    }
    void deallocate(T* memory, std::size_t) noexcept { std::free(memory); }
    friend bool operator==(untracked_allocator, untracked_allocator) noexcept { return true; }
};

template <class T>
using engine_vector = std::vector<T, untracked_allocator<T>>;

}  // namespace weft::model
