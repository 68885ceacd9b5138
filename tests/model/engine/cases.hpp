// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The model cases of the runtime's structures and their negative controls. A case says which
// planted faults it must find; mutants_model.cpp then asks for every fault whether some case finds
// it, and weakens memory orders one by one to see that the cases notice.
#pragma once

#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "weft/model/mutation.hpp"

namespace weft::model {

using weft::detail::mutation;

/// The model environment with at most one fault planted.
struct mutable_environment : model_environment {
    static bool mutant(mutation which) noexcept { return which == planted; }
    inline static mutation planted = mutation::none;
};

/// Plants a fault for as long as it lives.
class planted_fault {
public:
    explicit planted_fault(mutation which) noexcept { mutable_environment::planted = which; }
    ~planted_fault() { mutable_environment::planted = mutation::none; }
    planted_fault(const planted_fault&) = delete;
    planted_fault& operator=(const planted_fault&) = delete;
};

struct model_case {
    std::string_view structure;  // the tag of its tests
    std::string_view name;
    std::vector<mutation> kills;
    options limits;
    scenario_body body;
};

/// Adds itself to all_cases() at static initialisation.
struct registered_case {
    explicit registered_case(model_case added);
};

[[nodiscard]] const std::vector<model_case>& all_cases();
/// Checks every case of `structure`, each in a section of the running test.
void check_cases(std::string_view structure);

/// Limits for looking for a planted fault: mostly random, because the search ends at the first hit.
[[nodiscard]] options hunting(const options& limits);

}  // namespace weft::model
