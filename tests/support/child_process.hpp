// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Runs a piece of a test in a forked child: for what ends the process, leaks on purpose or changes
// it for good.
#pragma once

#include <functional>
#include <string>

namespace weft::test {

struct child_result {
    int exit_code = -1;  ///< -1: a signal
    int signal = 0;
    std::string output;  ///< standard output and standard error together
};

/// Forks, runs `body` there, and ends the child with what it returns, without static destructors.
/// A child that lives longer than 60 s is killed. No other thread may exist at the call.
[[nodiscard]] child_result in_child(const std::function<int()>& body);

/// The same, but the child ends with std::exit: static destructors run.
[[nodiscard]] child_result in_exiting_child(const std::function<int()>& body);

/// Runs a command with the shell and returns what it printed.
[[nodiscard]] child_result shell(const std::string& command);

}  // namespace weft::test
