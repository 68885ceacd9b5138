// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#pragma once

/// Calls `present`, `std::vector`, `vanished` and `holder::gone()`; takes `parameter`.
/// The parameter is named in plain words; `x = y` is no name.
template <class Element>
struct present {
    using value_type = Element;
};
class task_manager {};
struct ring2 {};
struct endpoint_v4 {};
struct CamelCase {};
void do_work();
