// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The checkers checked: every fault that a structure can have planted is found by a case that names
// it. A fault that survives, or that no case names, is a hole in the models.
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

/// The enumerator's own name, from the compiler.
template <mutation Value>
constexpr std::string_view name_of() {
    std::string_view text = __PRETTY_FUNCTION__;
    std::size_t begin = text.rfind("mutation::") + 10;
    return text.substr(begin, text.find_first_of("];", begin) - begin);
}

constexpr auto mutation_count = static_cast<std::size_t>(mutation::count);

constexpr auto mutation_names = []<std::size_t... Index>(std::index_sequence<Index...>) {
    return std::array<std::string_view, mutation_count>{name_of<static_cast<mutation>(Index)>()...};
}(std::make_index_sequence<mutation_count>{});

bool names(const model_case& each, mutation fault) {
    return std::ranges::find(each.kills, fault) != each.kills.end();
}

}  // namespace

TEST_CASE("every fault that can be planted is named by a case", "[mutants]") {
    for (std::size_t i = 1; i < mutation_count; ++i) {
        auto fault = static_cast<mutation>(i);
        bool is_named = std::ranges::any_of(
            all_cases(), [&](const model_case& each) { return names(each, fault); });
        INFO("no case names the fault " << mutation_names[i]);
        CHECK(is_named);
    }
}

TEST_CASE("every planted fault is found by the cases that name it", "[mutants]") {
    for (std::size_t i = 1; i < mutation_count; ++i) {
        for (const auto& each : all_cases()) {
            auto fault = static_cast<mutation>(i);
            if (!names(each, fault)) continue;
            DYNAMIC_SECTION(mutation_names[i] << ": " << each.name) {
                planted_fault planted(fault);
                auto outcome = check(hunting(each.limits), each.body);
                INFO(outcome.executions << " executions: " << outcome.message);
                CHECK(outcome.failed);
            }
        }
    }
}

TEST_CASE("the structures hold on a kernel without membarrier", "[deque][park]") {
    for (const auto& each : all_cases()) {
        constexpr std::array<std::string_view, 3> fenced{"deque", "park", "forks"};
        if (std::ranges::find(fenced, each.structure) == fenced.end()) continue;
        DYNAMIC_SECTION(each.name) {
            options limits = each.limits;
            limits.is_asymmetric = false;
            limits.exhaustive_executions =
                std::min<std::size_t>(100'000, limits.exhaustive_executions);
            auto outcome = check(limits, each.body);
            INFO(outcome.report());
            CHECK_FALSE(outcome.failed);
        }
    }
}

// Why the model has weak memory at all: an explorer of interleavings alone passes the two faults
// that matter most.
TEST_CASE("without weak memory the missing fences survive", "[mutants]") {
    for (mutation fault : {mutation::deque_pop_without_fence, mutation::deque_steal_without_fence,
                           mutation::park_without_fence}) {
        for (const auto& each : all_cases()) {
            if (!names(each, fault)) continue;
            planted_fault planted(fault);
            options limits = each.limits;
            limits.memory = memory_model::sequential;
            limits.exhaustive_executions =
                std::min<std::size_t>(100'000, limits.exhaustive_executions);
            auto outcome = check(limits, each.body);
            INFO(mutation_names[static_cast<std::size_t>(fault)] << ": " << outcome.message);
            CHECK_FALSE(outcome.failed);
        }
    }
}

}  // namespace weft::model
