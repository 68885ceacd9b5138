// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A vector in a place of fixed size: what C++26 calls std::inplace_vector (P0843), as far as weft
// and its users need it, until every compiler has it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace weft {

/// Up to N values of T that lie in the object itself: nothing is allocated. Members do what those
/// of std::inplace_vector do; one value too many throws std::bad_alloc and changes nothing. An
/// object that was moved from keeps its number of values, each moved from. Not synchronised.
template <class T, std::size_t N>
class inplace_vector {
    static_assert(N != 0, "an inplace_vector has room for one value at least");

public:
    using value_type = T;
    using size_type = std::size_t;
    using iterator = T*;
    using const_iterator = const T*;

    inplace_vector() noexcept {}
    inplace_vector(inplace_vector&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
        std::uninitialized_move(other.begin(), other.end(), values_);
        size_ = other.size_;
    }
    inplace_vector(const inplace_vector& other)
        requires std::is_copy_constructible_v<T>
    {
        std::uninitialized_copy(other.begin(), other.end(), values_);
        size_ = other.size_;
    }
    inplace_vector& operator=(inplace_vector other) noexcept(
        std::is_nothrow_move_constructible_v<T>) {
        clear();
        std::uninitialized_move(other.begin(), other.end(), values_);
        size_ = other.size_;
        return *this;
    }
    ~inplace_vector() { clear(); }

    T& push_back(T&& value) { return emplace_back(std::move(value)); }
    T& push_back(const T& value)
        requires std::is_copy_constructible_v<T>
    {
        return emplace_back(value);
    }
    template <class... Args>
    T& emplace_back(Args&&... args) {
        if (size_ == N) [[unlikely]]
            throw std::bad_alloc();
        T* made = std::construct_at(values_ + size_, std::forward<Args>(args)...);
        ++size_;
        return *made;
    }
    void pop_back() noexcept { std::destroy_at(values_ + --size_); }
    void clear() noexcept {
        std::destroy(begin(), end());
        size_ = 0;
    }

    [[nodiscard]] static constexpr size_type capacity() noexcept { return N; }
    [[nodiscard]] size_type size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T* data() noexcept { return values_; }
    [[nodiscard]] const T* data() const noexcept { return values_; }
    [[nodiscard]] T& operator[](size_type i) noexcept { return values_[i]; }
    [[nodiscard]] const T& operator[](size_type i) const noexcept { return values_[i]; }
    [[nodiscard]] T& front() noexcept { return values_[0]; }
    [[nodiscard]] T& back() noexcept { return values_[size_ - 1]; }
    [[nodiscard]] iterator begin() noexcept { return values_; }
    [[nodiscard]] iterator end() noexcept { return values_ + size_; }
    [[nodiscard]] const_iterator begin() const noexcept { return values_; }
    [[nodiscard]] const_iterator end() const noexcept { return values_ + size_; }

private:
    size_type size_ = 0;
    union {
        T values_[N];
    };
};

}  // namespace weft
