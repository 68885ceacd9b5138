// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "cases.hpp"

#include <algorithm>

#include "support/catch.hpp"

namespace weft::model {

namespace {

std::vector<model_case>& mutable_cases() {
    static std::vector<model_case> cases;
    return cases;
}

}  // namespace

registered_case::registered_case(model_case added) { mutable_cases().push_back(std::move(added)); }

const std::vector<model_case>& all_cases() { return mutable_cases(); }

void check_cases(std::string_view structure) {
    std::size_t found = 0;
    for (const auto& each : all_cases()) {
        if (each.structure != structure) continue;
        ++found;
        DYNAMIC_SECTION(each.name) {
            auto outcome = check(each.limits, each.body);
            INFO(outcome.report());
            INFO(outcome.report());
            CHECK_FALSE(outcome.failed);
        }
    }
    CHECK(found > 0);
}

options hunting(const options& limits) {
    options hunted = limits;
    hunted.random_executions = std::max<std::size_t>(limits.random_executions, 400'000);
    return hunted;
}

}  // namespace weft::model
