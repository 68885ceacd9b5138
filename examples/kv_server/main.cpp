// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// An in-memory key-value server that stock Redis clients can talk to: docs/kv_server.md.

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <span>
#include <stdexcept>
#include <weft/net/tcp_listener.hpp>
#include <weft/weft.hpp>

#include "options.hpp"
#include "server.hpp"

namespace {

void announce(const weft::net::endpoint& address) {
    std::printf("ready on %s\n", address.to_string().c_str());
    std::fflush(stdout);
}

// A descriptor per client: take as many as the system lets this process have.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

weft::coro<> serve(kv::service& host, std::chrono::seconds grace) {
    const auto address = weft::net::endpoint::parse(host.settings.address, host.settings.port);
    kv::server server(host, grace);
    co_await server.run(address, announce);
}

void write_dump(const std::string& path, const kv::store& data) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << data.dump(kv::instant::now()) << std::flush;
    if (!file) throw std::runtime_error("cannot write " + path);
}

int run(const kv::options& options) {
    raise_descriptor_limit();
    kv::service host(options.shards);
    host.settings = options.settings;
    weft::runtime_options runtime;
    runtime.workers = options.settings.workers;
    runtime.thread_name = "kv";
    runtime.handle_signals = true;
    try {
        weft::run(serve(host, options.grace), runtime);
    } catch (const weft::interrupted&) {  // the expected end
    }
    if (!options.dump_file.empty()) write_dump(options.dump_file, host.data);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto arguments = std::span(argv, static_cast<std::size_t>(argc)).subspan(1);
        const kv::options options = kv::parse_options({arguments.data(), arguments.size()});
        if (!options.wants_help) return run(options);
        std::fwrite(kv::usage.data(), 1, kv::usage.size(), stdout);
        return 0;
    } catch (const kv::usage_error& error) {
        std::fprintf(stderr, "kv_server: %s (--help lists the options)\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "kv_server: %s\n", error.what());
        return 1;
    }
}
