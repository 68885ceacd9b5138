// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the tests of weft-trace share: a directory to work in, the tool's path, and a shell whose
// output can be looked at.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "support/catch.hpp"

namespace trace_kit {

namespace fs = std::filesystem;

struct temporary_directory {
    temporary_directory() {
        std::string pattern = (fs::temp_directory_path() / "weft-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory() { fs::remove_all(path); }
    fs::path path;
};

inline const std::string tool = std::string(WEFT_BUILD_DIR) + "/tools/weft-trace";

inline bool tool_is_missing() {
    if (fs::exists(tool)) return false;
    WARN("weft-trace is not built: nothing was tested");
    return true;
}

/// Runs a shell command; what it prints to both streams goes to `output`.
inline int shell(const std::string& command, const fs::path& directory, std::string& output) {
    const fs::path log = directory / "log";
    const std::string line =
        "cd '" + directory.string() + "' && (" + command + ") >'" + log.string() + "' 2>&1";
    const int status = std::system(line.c_str());
    std::ostringstream text;
    text << std::ifstream(log).rdbuf();
    output = text.str();
    INFO(command << "\n" << output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

inline std::string record_case(const std::string& options, const std::string& tag) {
    return tool + " record " + options + " -- " + fs::read_symlink("/proc/self/exe").string() +
           " '" + tag + "'";
}

}  // namespace trace_kit
