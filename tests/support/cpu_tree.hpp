// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Caches as a test wants them, in the form in which sysfs tells of them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/catch.hpp"

namespace weft::test {

/// A folder as sysfs has it, with an L1 for each cpu that lists only that.
class cpu_tree {
public:
    cpu_tree() {
        std::string pattern = (std::filesystem::temp_directory_path() / "weft-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root_ = pattern;
    }
    cpu_tree(const cpu_tree&) = delete;
    cpu_tree& operator=(const cpu_tree&) = delete;
    ~cpu_tree() { std::filesystem::remove_all(root_); }

    [[nodiscard]] const std::string& root() const { return root_; }
    void add_cache(unsigned cpu, unsigned index, const char* level, const char* type,
                   const std::string& shared) {
        const auto folder = std::filesystem::path(root_) / ("cpu" + std::to_string(cpu)) / "cache" /
                            ("index" + std::to_string(index));
        std::filesystem::create_directories(folder);
        std::ofstream{folder / "level"} << level << '\n';
        std::ofstream{folder / "type"} << type << '\n';
        std::ofstream{folder / "shared_cpu_list"} << shared << '\n';
    }
    void add_cpu(unsigned cpu, const std::string& sharers_of_l3) {
        add_cache(cpu, 0, "1", "Data", std::to_string(cpu));
        add_cache(cpu, 1, "1", "Instruction", std::to_string(cpu));
        add_cache(cpu, 2, "2", "Unified", std::to_string(cpu));
        add_cache(cpu, 3, "3", "Unified", sharers_of_l3);
    }

private:
    std::string root_;
};

}  // namespace weft::test
