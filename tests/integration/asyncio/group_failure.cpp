// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The first failure in a task group stops the others and the body; what the body throws is wrapped
// too.
#include <algorithm>
#include <stdexcept>

#include "print.hpp"

namespace {

using names = std::vector<std::string>;

weft::coro<> fails(std::string text) {
    co_await weft::sleep(10ms);
    throw std::invalid_argument(text);
}

weft::coro<> sleeps(std::string name, names& cancelled) {
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
        cancelled.push_back(name);
        throw;
    }
}

weft::coro<std::string> other() {
    co_await weft::sleep(10ms);
    co_return "other";
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    }
}

std::string quoted(const names& all) {
    std::string text = "[";
    for (const std::string& name : all) text += (text.size() == 1 ? "'" : ", '") + name + "'";
    return text + "]";
}

std::string texts(const weft::exception_group& group) {
    names all;
    for (const std::exception_ptr& error : group.exceptions()) all.push_back(text_of(error));
    return quoted(all);
}

weft::coro<> a_child_fails(weft::task_group& group, names& cancelled) {
    group.create_task(fails("child"));
    group.create_task(sleeps("sibling", cancelled));
    co_await sleeps("body", cancelled);
}

weft::coro<> the_body_fails(weft::task_group& group, names& cancelled) {
    group.create_task(sleeps("first", cancelled));
    group.create_task(sleeps("second", cancelled));
    co_await weft::sleep(10ms);
    throw std::invalid_argument("body");
}

weft::coro<> one_is_cancelled(weft::task_group& group, names& cancelled) {
    auto lonely = group.create_task(sleeps("lonely", cancelled));
    auto with_it = group.create_task(other());
    co_await weft::yield();
    lonely.cancel();
    const std::vector<weft::any_task> both{lonely, with_it};
    co_await weft::wait(both);
    print(lonely.cancelled(), with_it.result());
}

weft::coro<> async_main() {
    names cancelled;
    for (auto* body : {&a_child_fails, &the_body_fails}) {
        try {
            co_await weft::task_group::run(body, std::ref(cancelled));
        } catch (const weft::exception_group& caught) {
            print(texts(caught), weft::current_task().cancelling());
        }
    }
    co_await weft::task_group::run(&one_is_cancelled, std::ref(cancelled));
    std::ranges::sort(cancelled);
    print(quoted(cancelled));
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
