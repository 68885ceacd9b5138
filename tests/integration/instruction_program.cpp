// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// One operation, many times, on one worker: instruction_program OPERATION COUNT. What an operation
// costs is the difference between two counts; instruction_test.py takes it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/weft.hpp"

namespace {

using namespace weft;

coro<int> one() { co_return 1; }

coro<int> one_after_yield() {
    co_await yield();
    co_return 1;
}

coro<> call(int n) {
    for (int i = 0; i < n; ++i) {
        if (co_await one() != 1) std::abort();
    }
}

coro<> fork(int n) {
    for (int i = 0; i < n; ++i) {
        auto [left, right] = co_await when_all(one(), one());
        if (left + right != 2) std::abort();
    }
}

coro<> create_await(int n) {
    for (int i = 0; i < n; ++i) {
        int value = co_await create_task(one());
        if (value != 1) std::abort();
    }
}

coro<> create_many(int n) {
    std::vector<task<int>> tasks;
    tasks.reserve(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) tasks.push_back(create_task(one()));
    for (task<int>& t : tasks) {
        int value = co_await t;
        if (value != 1) std::abort();
    }
}

coro<> yields(int n) {
    for (int i = 0; i < n; ++i) co_await yield();
}

coro<> answers(oneshot_sender<int> sender) {
    sender.send(1);
    co_return;
}

coro<> wake(int n) {
    for (int i = 0; i < n; ++i) {
        auto [sender, receiver] = make_oneshot<int>();
        create_task(answers(std::move(sender)));
        int value = co_await receiver;
        if (value != 1) std::abort();
    }
}

coro<> timeout(int n) {
    for (int i = 0; i < n; ++i) {
        int value = co_await with_timeout(std::chrono::hours{1}, one_after_yield());
        if (value != 1) std::abort();
    }
}

coro<> sleeps(int n) {
    for (int i = 0; i < n; ++i) {
        try {
            co_await sleep(std::chrono::hours{1});
        } catch (const cancelled&) {
            continue;
        }
        std::abort();
    }
}

coro<> cancel(int n) {
    task<> sleeper = create_task(sleeps(n));
    co_await yield();
    for (int i = 0; i < n; ++i) {
        if (!sleeper.cancel()) std::abort();
        co_await yield();
    }
    co_await sleeper;
}

coro<int> fails() {
    throw 1;
    co_return 1;
}

coro<> throws(int n) {
    for (int i = 0; i < n; ++i) {
        try {
            static_cast<void>(co_await fails());
        } catch (int) {
            continue;
        }
        std::abort();
    }
}

coro<> gather_child(int n) {
    constexpr int width = 100;
    for (int i = 0; i < n; i += width) {
        std::vector<coro<int>> children;
        children.reserve(width);
        for (int k = 0; k < width; ++k) children.push_back(one_after_yield());
        const std::vector<int> values = co_await gather(std::move(children));
        if (values.size() != width) std::abort();
    }
}

struct operation {
    std::string_view name;
    coro<> (*body)(int);
};

constexpr operation operations[] = {
    {"call", call},
    {"fork", fork},
    {"create_await", create_await},
    {"create_many", create_many},
    {"yield", yields},
    {"wake", wake},
    {"timeout", timeout},
    {"cancel", cancel},
    {"throw", throws},
    {"gather_child", gather_child},
};

}  // namespace

int main(int argc, char** argv) {
    for (const operation& known : operations) {
        if (argc == 3 && known.name == argv[1]) {
            run(known.body(std::atoi(argv[2])), {.workers = 1});
            return 0;
        }
    }
    std::fprintf(stderr, "usage: instruction_program OPERATION COUNT\n");
    return 2;
}
