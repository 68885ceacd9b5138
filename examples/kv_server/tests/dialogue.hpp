// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: a session with a clock that stands still until a test moves it, spoken to in strings.
#pragma once

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "session.hpp"

namespace kv::test {

/// The request as redis-cli would send it.
inline std::string request(std::initializer_list<std::string_view> arguments) {
    reply_writer out;  // a request is an array of bulk strings
    out.array(arguments.size());
    for (const std::string_view argument : arguments) out.bulk(argument);
    return std::string(out.text());
}

/// "f7". (Fact: g++ 12 sees an overlapping copy in `"f" + std::to_string(7)` and warns, wrongly.)
inline std::string numbered(std::string name, int number) {
    return name.append(std::to_string(number));
}

class dialogue {
public:
    dialogue() : dialogue(server_settings()) {}
    explicit dialogue(const server_settings& settings) : host_(std::make_unique<service>(4)) {
        host_->settings = settings;
        now_ = {deadline(milliseconds(1'000'000)), milliseconds(1'700'000'000'000)};
        reconnect();
    }

    /// Hands over `bytes`, at most `piece` at a time, and returns every answer.
    std::string send(std::string_view bytes, std::size_t piece = std::string_view::npos) {
        std::string answers;
        while (!bytes.empty() && !is_closed_) {
            const auto room = session_->input().prepare();
            const std::size_t count = std::min({bytes.size(), piece, room.size()});
            std::memcpy(room.data(), bytes.data(), count);
            session_->input().commit(count);
            bytes.remove_prefix(count);
            auto progress = session::progress::paused;
            while (progress == session::progress::paused) {
                progress = session_->run(now_);
                answers += session_->output();
                session_->clear_output();
            }
            is_closed_ = progress == session::progress::closing;
        }
        return answers;
    }
    std::string operator()(std::initializer_list<std::string_view> arguments) {
        return send(request(arguments));
    }

    void reconnect() {
        session_ = std::make_unique<session>(*host_, 7);
        is_closed_ = false;
    }
    void pass(milliseconds time) {
        now_.steady += time;
        now_.wall += time;
    }
    [[nodiscard]] bool is_closed() const { return is_closed_; }
    [[nodiscard]] store& data() { return host_->data; }
    [[nodiscard]] const instant& now() const { return now_; }

private:
    std::unique_ptr<service> host_;
    std::unique_ptr<session> session_;
    instant now_;
    bool is_closed_ = false;
};

}  // namespace kv::test
