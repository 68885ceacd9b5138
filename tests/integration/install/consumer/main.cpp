#include <cstdio>

#if __has_include(<weft/weft.hpp>)
#include <weft/weft.hpp>

weft::coro<int> answer() { co_return 42; }

int main() { return weft::run(answer()) == 42 ? std::puts("weft works") < 0 : 1; }
#else
#include <weft/base/unique_fd.hpp>

int main() {
    weft::detail::unique_fd none;
    none.reset();
    return none ? 1 : std::puts("weft works") < 0;
}
#endif
