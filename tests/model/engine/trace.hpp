// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How the checker tells what happened: names of locations, the lines of a trace, failures. Text is
// only made when an execution is replayed or fails; the search itself pays one branch a step.
#pragma once

#include "execution.hpp"

namespace weft::model {

template <class Describe>
void execution::note(site where, Describe describe) {
    if (!is_traced_) [[likely]]
        return;
    unwatched_scope engine;
    std::string line = std::to_string(steps_);
    line.insert(0, line.size() < 5 ? 5 - line.size() : 0, ' ');
    line += "  " + self().name;
    line.resize(std::max<std::size_t>(line.size(), 16), ' ');
    line += " " + describe();
    line.resize(std::max<std::size_t>(line.size() + 2, 72), ' ');
    trace_.push_back(line + text_of(where));
}

template <class Describe>
void execution::fail_at(site where, Describe describe) {
    allocation_watch::is_on = false;
    std::string what = self().name + ": " + describe() + " at " + text_of(where);
    fail(what);
}

}  // namespace weft::model
