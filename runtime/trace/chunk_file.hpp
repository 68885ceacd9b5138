// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A .wtrace file being written: whole chunks only, buffered until `flush`. The first failure ends
// the file after the last chunk that fitted; later calls do nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "weft/base/unique_fd.hpp"
#include "weft/trace/file_format.hpp"

namespace weft::detail {

class chunk_file {
public:
    /// Creates or empties the file, unless another process is recording into it, or one did as part
    /// of the same `recording` (0 is none): then it is left alone and a name with this process's id
    /// is taken. Writes the preamble.
    [[nodiscard]] std::error_code open(std::string_view name_pattern, std::uint32_t recording = 0);

    void add(trace::chunk_type type, std::string_view payload);
    /// Hands what is buffered to the kernel. Blocks as long as the disk does; a pipe whose reader
    /// takes nothing for a second is an error.
    void flush();
    void close();
    /// Ends the file for a reason of the caller's.
    void fail(std::error_code reason) noexcept { error_ = reason; }
    /// In a forked child: closes without writing.
    void abandon() noexcept { file_.reset(); }

    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return written_ + buffer_.size(); }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    [[nodiscard]] std::error_code open_path(const std::string& path, std::uint32_t recording,
                                            bool& is_taken);

    unique_fd file_;
    std::string path_;
    std::string buffer_;
    std::uint64_t written_ = 0;  // whole chunks in the file
    std::error_code error_;
};

}  // namespace weft::detail
