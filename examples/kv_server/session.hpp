// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: everything between the bytes of a client and the bytes of the answers, without a socket:
//
//     received bytes -> input -> parser -> command -> reply text
//
// The connection fills input(), calls run() and writes output(). Tests do the same with strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "command.hpp"
#include "command_index.hpp"
#include "input_buffer.hpp"
#include "reply_writer.hpp"
#include "resp_parser.hpp"

namespace kv {

class session {
public:
    /// `host` outlives the session.
    session(service& host, std::uint64_t id);
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    [[nodiscard]] input_buffer& input() noexcept { return input_; }

    enum class progress : std::uint8_t {
        drained,  // every complete request is answered: read more
        paused,   // the output is long enough: write it, then run again
        closing,  // write the output, then close the connection
    };
    /// Executes the complete requests in the input, in order. One reply each, appended to output().
    progress run(const instant& now);

    [[nodiscard]] std::string_view output() const noexcept { return reply_.text(); }
    void clear_output() { reply_.clear(); }

private:
    void execute(const instant& now);
    void reply_unknown_command();

    static constexpr std::size_t enough_output = 64 * 1024;
    static constexpr std::size_t most_unread = std::size_t{1} << 30;  // of one request

    service& host_;
    const command_index& commands_;
    client_state client_;
    input_buffer input_;
    resp_parser parser_;
    reply_writer reply_;
};

}  // namespace kv
