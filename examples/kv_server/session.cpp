// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "session.hpp"

namespace kv {

session::session(service& host, std::uint64_t id)
    : host_(host), commands_(command_index::all()), parser_(host.settings.limits) {
    client_.id = id;
}

session::progress session::run(const instant& now) {
    std::uint64_t executed = 0;
    progress result = progress::drained;
    while (!client_.wants_close) {
        if (reply_.size() >= enough_output) {
            result = progress::paused;
            break;
        }
        const auto status = parser_.parse(input_.unread());
        if (status == resp_parser::status::need_more) break;
        if (status == resp_parser::status::broken) {
            reply_.error("ERR " + std::string(parser_.error()));
            client_.wants_close = true;
            break;
        }
        if (status == resp_parser::status::request) {
            execute(now);
            ++executed;
        }
        input_.consume(parser_.consumed());
        parser_.next();
    }
    if (executed != 0) host_.requests.fetch_add(executed, std::memory_order_relaxed);
    if (input_.unread().size() > most_unread) client_.wants_close = true;
    return client_.wants_close ? progress::closing : result;
}

void session::execute(const instant& now) {
    const auto arguments = parser_.arguments();
    const command* found = commands_.find(arguments[0]);
    if (found == nullptr) return reply_unknown_command();
    if (!found->accepts(arguments.size())) return reply_wrong_arity(reply_, found->name);
    call request{arguments, now, host_, client_, reply_};
    found->execute(request);
}

void session::reply_unknown_command() {
    constexpr std::size_t most_shown = 128;  // of the name, and of the arguments together
    const auto arguments = parser_.arguments();
    std::string shown;
    for (const std::string_view argument : arguments.subspan(1)) {
        if (shown.size() >= most_shown) break;
        const std::size_t room = most_shown - shown.size();
        shown.append("'").append(excerpt(argument, room)).append("' ");
    }
    std::string message = "ERR unknown command '";
    message += excerpt(arguments[0], most_shown);
    message += "', with args beginning with: ";
    reply_.error(message + shown);
}

}  // namespace kv
