// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/chunk_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "trace/byte_source.hpp"
#include "trace/chunk_encoding.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t flush_threshold = std::size_t{256} << 10;
// How long a pipe's reader may take nothing at all: `stop` waits for it, and with it the program.
constexpr int patience_ms = 1000;
// How many more traces one process may leave by executing one program after the other.
constexpr int max_names = 1000;

std::string expand(std::string_view pattern) {
    std::string path(pattern);
    const std::string process = std::to_string(::getpid());
    for (std::size_t at = path.find("%p"); at != std::string::npos; at = path.find("%p", at)) {
        path.replace(at, 2, process);
    }
    return path;
}

/// Whether the file has a trace that another program wrote as part of `recording`. That program may
/// have ended, or may have been this very process, which keeps its id but no lock when it executes
/// the next program. (A pipe or a device is not read.)
bool belongs_to(int descriptor, const std::string& path, std::uint32_t recording) {
    struct stat what{};
    if (recording == 0 || ::fstat(descriptor, &what) != 0 || !S_ISREG(what.st_mode)) return false;
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    char preamble[trace::preamble_bytes];
    if (!file || ::pread(file.get(), preamble, sizeof preamble, 0) != sizeof preamble) return false;
    byte_source number(std::string_view(preamble, sizeof preamble).substr(trace::recording_offset));
    return std::string_view(preamble, sizeof preamble).starts_with(trace::file_magic) &&
           number.fixed<std::uint32_t>() == recording;
}

}  // namespace

std::error_code chunk_file::open(std::string_view name_pattern, std::uint32_t recording) {
    bool is_taken = false;
    const std::string first = expand(name_pattern);
    std::string path = first;
    std::error_code error = open_path(path, recording, is_taken);
    for (int i = 1; is_taken && i <= max_names; ++i) {
        path = first + "." + std::to_string(::getpid());
        if (i > 1) path += "." + std::to_string(i);
        error = open_path(path, recording, is_taken);
    }
    if (error) return error;
    path_ = std::move(path);
    written_ = 0;
    error_ = {};
    buffer_.assign(trace::file_magic);
    append_fixed(buffer_, trace::file_version);
    append_fixed(buffer_, recording);
    flush();
    return error_;
}

std::error_code chunk_file::open_path(const std::string& path, std::uint32_t recording,
                                      bool& is_taken) {
    is_taken = false;
    // Not O_TRUNC: the file is emptied only once the lock says that nobody records into it. Not
    // blocking: a pipe without a reader is an error (ENXIO), one with a slow reader is waited for.
    file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600));
    if (!file_) return {errno, std::system_category()};
    const bool is_locked = ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (is_locked || belongs_to(file_.get(), path, recording)) {
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
