// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tasks share a value, and get() gives a copy of it.
// expect: make it copyable, or a std::shared_ptr
#include <memory>

#include "weft/task/task_local.hpp"

const weft::task_local<std::shared_ptr<int>> shared{nullptr};
#ifndef WEFT_CONTROL
const weft::task_local<std::unique_ptr<int>> owned{nullptr};
#endif
