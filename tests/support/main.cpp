// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The main() of every Catch2 executable: fixes and prints the seed, runs the tests, and leaves the
// number of passed and failed test cases in a file of the executable's name in the directory that
// WEFT_TEST_COUNTS_DIR names (tools/test adds them up).
#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"
#include "support/seed.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

namespace {

std::filesystem::path executable_name;

#if defined(CATCH_VERSION_MAJOR) && CATCH_VERSION_MAJOR >= 3
using listener_base = Catch::EventListenerBase;
#else
using listener_base = Catch::TestEventListenerBase;
#endif

class count_listener : public listener_base {
public:
    using listener_base::listener_base;

    void testRunEnded(const Catch::TestRunStats& stats) override {
        listener_base::testRunEnded(stats);
        const char* directory = std::getenv("WEFT_TEST_COUNTS_DIR");
        if (directory == nullptr || *directory == 0) return;
        auto path = std::filesystem::path(directory) / executable_name;
        std::FILE* file = std::fopen(path.c_str(), "w");
        if (file == nullptr) return;
        const Catch::Counts& cases = stats.totals.testCases;
        std::fprintf(file, "%llu %llu\n",
                     static_cast<unsigned long long>(cases.passed + cases.failedButOk),
                     static_cast<unsigned long long>(cases.failed));
        std::fclose(file);
    }
};

CATCH_REGISTER_LISTENER(count_listener)

/// Tests that read the environment themselves see the same seed as those that call seed().
std::uint64_t fix_seed() {
    if (const char* given = std::getenv("WEFT_TEST_SEED")) return std::strtoull(given, nullptr, 0);
    std::uint64_t drawn = std::random_device{}();
    ::setenv("WEFT_TEST_SEED", std::to_string(drawn).c_str(), 0);
    return drawn;
}

std::uint64_t run_seed = 0;

}  // namespace

std::uint64_t weft::test::seed() noexcept { return run_seed; }

int main(int argc, char** argv) {
    run_seed = fix_seed();
    executable_name = std::filesystem::path(argv[0]).filename();
    std::printf("seed: WEFT_TEST_SEED=%llu\n", static_cast<unsigned long long>(run_seed));
    std::fflush(stdout);
    Catch::Session session;
    return session.run(argc, argv);
}
