// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The owning type of a file descriptor. Every descriptor that the library opens lives in one of
// these from the system call that returned it to the close that ends it.
#pragma once

#include <utility>

namespace weft::detail {

class unique_fd {
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~unique_fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes what is held, then holds `fd`. A close that is interrupted is not repeated: on Linux
    /// the descriptor is gone even when close(2) returns EINTR.
    void reset(int fd = -1) noexcept;

private:
    int fd_ = -1;
};

}  // namespace weft::detail
