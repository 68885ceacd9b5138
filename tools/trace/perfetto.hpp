// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Packets of Perfetto's TrackEvent format, which ui.perfetto.dev opens. Perfetto is a project under
// the Apache License 2.0 (https://perfetto.dev); the field numbers follow its
// protos/perfetto/trace/trace_packet.proto and track_event.proto. No code of it is used.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "protobuf.hpp"
#include "weft/trace/file_format.hpp"

namespace weft::tracetool {

struct annotation {
    const char* name;
    std::uint64_t number = 0;
    std::string text = {};  // instead of the number, unless empty
};

class perfetto_writer {
public:
    /// `out` stays the caller's. Write errors stay in its error indicator.
    explicit perfetto_writer(std::FILE* out) noexcept : out_(out) {}

    /// First of all: says that stamps are CLOCK_MONOTONIC and how it relates to the others.
    void clocks(const trace::clock_sync& reading);
    void process_track(std::uint64_t track, std::uint64_t process, const std::string& name);
    void thread_track(std::uint64_t track, std::uint64_t process, std::uint64_t thread,
                      const std::string& name);
    void track(std::uint64_t track, std::uint64_t parent, const std::string& name);
    void counter_track(std::uint64_t track, std::uint64_t parent, const std::string& name);

    /// `flow` joins this to the event that names it with `ends_flow`; 0 is none.
    void begin(std::uint64_t track, std::uint64_t now, const std::string& name,
               const std::vector<annotation>& notes = {}, std::uint64_t ends_flow = 0);
    void end(std::uint64_t track, std::uint64_t now);
    void instant(std::uint64_t track, std::uint64_t now, const std::string& name,
                 const std::vector<annotation>& notes = {}, std::uint64_t flow = 0);
    void count(std::uint64_t track, std::uint64_t now, std::uint64_t value);

    [[nodiscard]] std::uint64_t packets() const noexcept { return packets_; }

private:
    std::uint64_t intern(unsigned kind, const std::string& text, message& definitions);
    message event(unsigned type, std::uint64_t track, const std::string& name,
                  const std::vector<annotation>& notes, message& definitions);
    void write(std::uint64_t now, const message& event, const message& definitions);
    void write_packet(message& packet);

    std::FILE* out_;
    std::map<std::string, std::uint64_t> interned_[4];
    std::uint64_t packets_ = 0;
};

}  // namespace weft::tracetool
