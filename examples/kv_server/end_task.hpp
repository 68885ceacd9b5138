// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: ends a background task that would run for ever.
#pragma once

#include <weft/weft.hpp>

namespace kv {

/// Cancels the task and completes when it has ended. An empty handle is no task: nothing happens.
inline weft::coro<> end_task(weft::task<> background) {
    if (!background) co_return;
    background.cancel("the server stops");
    try {
        co_await background;
    } catch (const weft::cancelled&) {  // as asked
    }
}

}  // namespace kv
