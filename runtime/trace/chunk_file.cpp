// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/chunk_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "trace/chunk_encoding.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t flush_threshold = std::size_t{256} << 10;
// How long a pipe's reader may take nothing at all: `stop` waits for it, and with it the program.
constexpr int patience_ms = 1000;

std::string expand(std::string_view pattern) {
    std::string path(pattern);
    const std::string process = std::to_string(::getpid());
    for (std::size_t at = path.find("%p"); at != std::string::npos; at = path.find("%p", at)) {
        path.replace(at, 2, process);
    }
    return path;
}

}  // namespace

std::error_code chunk_file::open(std::string_view name_pattern) {
    bool is_taken = false;
    std::string path = expand(name_pattern);
    std::error_code error = open_path(path, is_taken);
    if (is_taken) {
        path += "." + std::to_string(::getpid());
        error = open_path(path, is_taken);
    }
    if (error) return error;
    path_ = std::move(path);
    written_ = 0;
    error_ = {};
    buffer_.assign(trace::file_magic);
    append_fixed(buffer_, trace::file_version);
    append_fixed(buffer_, std::uint32_t{0});
    flush();
    return error_;
}

std::error_code chunk_file::open_path(const std::string& path, bool& is_taken) {
    is_taken = false;
    // Not O_TRUNC: the file is emptied only once the lock says that nobody records into it. Not
    // blocking: a pipe without a reader is an error (ENXIO), one with a slow reader is waited for.
    file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600));
    if (!file_) return {errno, std::system_category()};
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        is_taken = true;
        file_.reset();
        return std::make_error_code(std::errc::device_or_resource_busy);
    }
    // A device or a pipe cannot be emptied; that is no failure.
    if (::ftruncate(file_.get(), 0) != 0 && errno != EINVAL) {
        return {errno, std::system_category()};
    }
    return {};
}

void chunk_file::add(trace::chunk_type type, std::string_view payload) {
    if (error_) return;
    std::string head;
    append_fixed(head, static_cast<std::uint32_t>(type));
    append_fixed(head, static_cast<std::uint32_t>(payload.size()));
    const auto bytes_of = [](std::string_view text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    };
    const std::uint32_t head_crc = trace::crc32(0, bytes_of(head), head.size());
    append_fixed(buffer_, trace::chunk_marker);
    buffer_ += head;
    append_fixed(buffer_, trace::crc32(head_crc, bytes_of(payload), payload.size()));
    buffer_ += payload;
    if (buffer_.size() >= flush_threshold) flush();
}

void chunk_file::flush() {
    std::size_t done = 0;
    while (!error_ && done < buffer_.size()) {
        const ssize_t wrote = ::write(file_.get(), buffer_.data() + done, buffer_.size() - done);
        if (wrote > 0) {
            done += static_cast<std::size_t>(wrote);
        } else if (wrote < 0 && errno == EAGAIN) {
            pollfd writable{file_.get(), POLLOUT, 0};
            if (::poll(&writable, 1, patience_ms) == 0)
                error_ = {ETIMEDOUT, std::system_category()};
        } else if (wrote == 0 || errno != EINTR) {
            error_ = {wrote == 0 ? ENOSPC : errno, std::system_category()};
        }
    }
    if (error_) {
        // A half chunk would read as damage: cut it off. On a pipe this fails, and nothing is lost.
        [[maybe_unused]] const int cut = ::ftruncate(file_.get(), static_cast<off_t>(written_));
    } else {
        written_ += buffer_.size();
    }
    buffer_.clear();
}

void chunk_file::close() {
    if (file_ && !error_) flush();
    file_.reset();
}

}  // namespace weft::detail
