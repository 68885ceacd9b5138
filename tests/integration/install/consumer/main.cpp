#include <cstdio>
#include <weft/weft.hpp>

weft::coro<int> answer() {
    co_await weft::yield();
    co_return 42;
}

int main() { return weft::run(answer()) == 42 ? std::puts("weft works") < 0 : 1; }
