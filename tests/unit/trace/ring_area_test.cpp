// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/ring_area.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "support/catch.hpp"

using namespace weft::detail;

namespace {

/// The areas that another process would find through /proc/PID/fd, by the path to open.
std::set<std::string> areas() {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code ignored;
        const std::string target = std::filesystem::read_symlink(entry.path(), ignored).string();
        if (target.find("memfd:weft-trace-") != std::string::npos) found.insert(entry.path());
    }
    return found;
}

template <class T>
T read_at(int fd, std::uint64_t offset) {
    alignas(T) unsigned char bytes[sizeof(T)];
    REQUIRE(::pread(fd, bytes, sizeof bytes, static_cast<off_t>(offset)) == sizeof bytes);
    T value;
    std::memcpy(static_cast<void*>(&value), bytes, sizeof bytes);
    return value;
}

}  // namespace

TEST_CASE("an outside reader finds rings, their owners and the strings") {
    const std::set<std::string> before = areas();
    const auto area = std::make_unique<ring_area>();
    CHECK_FALSE(area->exists());
    REQUIRE_FALSE(area->create(false));
    CHECK_FALSE(area->create(false));
    std::uint32_t line = 99;
    const auto ring = area->add_ring(256, line);
    REQUIRE(ring);
    CHECK(line == 0);
    CHECK(ring->capacity == 256);

    std::string path;
    for (const std::string& each : areas()) {
        if (!before.contains(each)) path = each;
    }
    if (path.empty()) return;  // no memfd on this system: anonymous memory, no outside readers
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file);
    struct plain_line {
        std::uint64_t offset, capacity;
        std::uint32_t emitter, index, thread, kind;
        char name[24];
    };
    char magic[9] = {};
    REQUIRE(::pread(file.get(), magic, 8, 0) == 8);
    CHECK(std::string(magic) == "WEFTRING");
    const std::uint64_t table = read_at<std::uint32_t>(file.get(), 16);
    CHECK(read_at<plain_line>(file.get(), table).offset == 0);

    area->describe_ring(line, {7, 3, 4711, 0, "worker 3 with a name that is too long"});
    const auto whose = read_at<plain_line>(file.get(), table);
    CHECK(whose.capacity == 256);
    CHECK(whose.emitter == 7);
    CHECK(whose.thread == 4711);
    CHECK(std::string(whose.name) == "worker 3 with a name th");

    basic_emitter<real_environment> e;
    e.bind(*ring);
    e.set_mask(~0u);
    e.emit_at(5, weft::trace::event::mark, 42);
    CHECK(read_at<std::uint64_t>(file.get(), whose.offset) == 1);              // head
    CHECK(read_at<std::uint64_t>(file.get(), whose.offset + 4096 + 8) == 42);  // first payload

    CHECK(area->add_string("abc") == "abc");
    CHECK(area->add_string(std::string(string_area_bytes, 'x')).empty());
    const std::uint64_t strings = read_at<std::uint32_t>(file.get(), 24);
    char text[4] = {};
    REQUIRE(::pread(file.get(), text, 3, static_cast<off_t>(strings)) == 3);
    CHECK(std::string(text) == "abc");

    area->clear_description(line);
    CHECK(read_at<plain_line>(file.get(), table).offset == 0);
    area->forget_after_fork();
    CHECK_FALSE(area->exists());
}
