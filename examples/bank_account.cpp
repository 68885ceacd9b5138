// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// An account that many tasks use at once, on every core, and that has no lock: whatever touches the
// balance runs on the account's strand, one after the other and in order.

#include <cstdio>
#include <stdexcept>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

class account {
public:
    void deposit(int amount) {  // goes on at once; the callable runs in its turn
        strand_.post([this, amount] { balance_ += amount; });
    }
    weft::coro<> withdraw(int amount) {
        return strand_.run([this, amount] {
            if (amount > balance_) throw std::runtime_error("not enough money");
            balance_ -= amount;
        });
    }
    /// Nobody sees the balance between the look and the change, although the bank takes its time.
    weft::coro<> add_interest(int percent) { return strand_.run(interest(percent)); }
    weft::coro<int> balance() {
        return strand_.run([this] { return balance_; });
    }

private:
    weft::coro<> interest(int percent) {
        const int gain = balance_ * percent / 100;
        co_await weft::sleep(10ms);
        balance_ += gain;
    }

    weft::strand strand_;
    int balance_ = 0;
};

weft::coro<> saver(account* shared) {
    for (int i = 0; i < 100; ++i) {
        shared->deposit(3);
        co_await shared->withdraw(1);  // after the deposit: there is always enough
    }
}

weft::coro<> async_main() {
    account shared;
    std::vector<weft::task<>> savers;
    for (int i = 0; i < 5; ++i) savers.push_back(weft::create_task(saver(&shared)));
    for (auto& each : savers) co_await each;
    std::printf("after five savers: %d\n", co_await shared.balance());

    auto interest = weft::create_task(shared.add_interest(10));
    shared.deposit(100);  // before or after the interest, never in between
    co_await interest;
    const int with_interest = co_await shared.balance();
    std::puts(with_interest == 1200 || with_interest == 1210 ? "interest is right" : "lost money");
    try {
        co_await shared.withdraw(5000);
    } catch (const std::runtime_error& e) {
        std::printf("refused: %s\n", e.what());
    }
}

int main() { weft::run(async_main()); }
