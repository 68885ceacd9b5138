// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the snippets beside this file are made of: a coroutine type and types with destructors.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

template <class T>
class lazy {
public:
    struct promise_type {
        T value{};
        std::coroutine_handle<> caller;
        struct final_awaiter {
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(
                std::coroutine_handle<promise_type> self) const noexcept {
                return self.promise().caller;
            }
            void await_resume() const noexcept {}
        };
        lazy get_return_object() {
            return lazy(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        final_awaiter final_suspend() const noexcept { return {}; }
        void unhandled_exception() {}
        void return_value(T given) { value = std::move(given); }
    };

    lazy(lazy&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    ~lazy() {
        if (frame_) frame_.destroy();
    }
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) const noexcept {
        frame_.promise().caller = caller;
        return frame_;
    }
    T await_resume() const { return std::move(frame_.promise().value); }

private:
    explicit lazy(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

struct aggregate {
    std::string text;
    int number = 0;
};

struct built {
    built(std::string given = {}, int count = 0) : text(std::move(given)), number(count) {}
    std::string text;
    int number;
};

struct trivial_options {
    std::string_view name{};
    int number = 0;
};

struct aggregate_awaiter {
    std::string text;
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    int await_resume() const { return static_cast<int>(text.size()); }
};

struct tracked {
    explicit tracked(int given) : number(given) {}
    ~tracked() {}
    bool holds() const { return number == 1; }
    int number;
};

inline std::string name_of(std::string s) { return s; }
inline int number_of(const std::string& s) { return static_cast<int>(s.size()); }
inline std::string_view view(int n) { return n == 1 ? "one" : "many"; }
inline int length_of(std::string_view text) { return static_cast<int>(text.size()); }
inline const int& larger(const int& a, const int& b) { return a < b ? b : a; }
inline void assert_like(bool) {}

inline lazy<int> number(int n) { co_return n; }
inline lazy<std::string> text(std::string s) { co_return s; }
inline lazy<int> take(aggregate a) { co_return a.number; }
inline lazy<int> take_default(aggregate a = {}) { co_return a.number; }
inline lazy<int> take_built(built b) { co_return b.number; }
inline lazy<int> take_options(trivial_options o) { co_return o.number; }
inline lazy<int> take_vector(std::vector<std::string> v) { co_return static_cast<int>(v.size()); }
inline lazy<int> take_ints(std::vector<int> v) { co_return static_cast<int>(v.size()); }

template <class Callable, class... Args>
lazy<int> spawn(Callable callable, Args... args) {
    co_return static_cast<int>(callable(args...));
}
