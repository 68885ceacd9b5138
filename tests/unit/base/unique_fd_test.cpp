// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "support/catch.hpp"

using weft::detail::unique_fd;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }
int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

TEST_CASE("a descriptor is closed when its owner goes", "[base]") {
    int fd = open_null();
    REQUIRE(is_open(fd));
    {
        unique_fd owner(fd);
    }
    CHECK_FALSE(is_open(fd));
}

TEST_CASE("a moved-from owner closes nothing", "[base]") {
    unique_fd first(open_null());
    int fd = first.get();
    unique_fd second(std::move(first));
    CHECK(second.get() == fd);
    CHECK(is_open(fd));
    second = unique_fd(open_null());
    CHECK((second.get() == fd || !is_open(fd)));
}

TEST_CASE("release gives the descriptor away", "[base]") {
    unique_fd owner(open_null());
    int fd = owner.release();
    CHECK_FALSE(owner);
    CHECK(is_open(fd));
    ::close(fd);
}
