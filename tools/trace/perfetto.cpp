// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "perfetto.hpp"

namespace weft::tracetool {

namespace {

// Numbers of Perfetto's fields, by message.
namespace trace_file_field {
constexpr unsigned packet = 1;
}
namespace packet_field {
constexpr unsigned clock_snapshot = 6, timestamp = 8, sequence = 10, track_event = 11,
                   interned_data = 12, sequence_flags = 13, timestamp_clock = 58, defaults = 59,
                   track_descriptor = 60;
}
namespace clock_field {
constexpr unsigned clocks = 1, primary = 2;
constexpr unsigned id = 1, timestamp = 2;
constexpr unsigned realtime = 1, monotonic = 3, boottime = 6;
}  // namespace clock_field
namespace track_field {
constexpr unsigned uuid = 1, name = 2, process = 3, thread = 4, parent = 5, counter = 8;
constexpr unsigned process_pid = 1, process_name = 6;
constexpr unsigned thread_pid = 1, thread_tid = 2, thread_name = 5;
}  // namespace track_field
namespace event_field {
constexpr unsigned annotation = 4, type = 9, name_iid = 10, track = 11, counter_value = 30,
                   flow = 47, terminating_flow = 48;
constexpr unsigned slice_begin = 1, slice_end = 2, instant = 3, counter = 4;
constexpr unsigned annotation_name_iid = 1, annotation_uint = 3, annotation_string = 6;
}  // namespace event_field
namespace interned_field {
constexpr unsigned event_name = 2, annotation_name = 3;
constexpr unsigned iid = 1, name = 2;
}  // namespace interned_field

constexpr std::uint64_t state_cleared = 1, needs_state = 2;
constexpr std::uint64_t only_sequence = 1;  // below 128: one byte in each packet

}  // namespace

void perfetto_writer::clocks(const trace::clock_sync& reading) {
    message snapshot;
    const auto add = [&](unsigned id, std::uint64_t stamp) {
        message clock;
        clock.number(clock_field::id, id).number(clock_field::timestamp, stamp);
        snapshot.child(clock_field::clocks, clock);
    };
    add(clock_field::monotonic, reading.monotonic);
    add(clock_field::realtime, reading.realtime);
    add(clock_field::boottime, reading.boottime);
    snapshot.number(clock_field::primary, clock_field::monotonic);
    message defaults;
    defaults.number(packet_field::timestamp_clock, clock_field::monotonic);
    message packet;
    packet.child(packet_field::clock_snapshot, snapshot);
    packet.child(packet_field::defaults, defaults);
    packet.number(packet_field::sequence_flags, state_cleared);
    write_packet(packet);
}

void perfetto_writer::process_track(std::uint64_t track, std::uint64_t process,
                                    const std::string& name) {
    message descriptor, details, packet;
    details.number(track_field::process_pid, process).text(track_field::process_name, name);
    descriptor.number(track_field::uuid, track).child(track_field::process, details);
    packet.child(packet_field::track_descriptor, descriptor);
    write_packet(packet);
}

void perfetto_writer::thread_track(std::uint64_t track, std::uint64_t process, std::uint64_t thread,
                                   const std::string& name) {
    message descriptor, details, packet;
    details.number(track_field::thread_pid, process).number(track_field::thread_tid, thread);
    details.text(track_field::thread_name, name);
    descriptor.number(track_field::uuid, track).child(track_field::thread, details);
    packet.child(packet_field::track_descriptor, descriptor);
    write_packet(packet);
}

void perfetto_writer::track(std::uint64_t track, std::uint64_t parent, const std::string& name) {
    message descriptor, packet;
    descriptor.number(track_field::uuid, track).text(track_field::name, name);
    descriptor.number(track_field::parent, parent);
    packet.child(packet_field::track_descriptor, descriptor);
    write_packet(packet);
}

void perfetto_writer::counter_track(std::uint64_t track, std::uint64_t parent,
                                    const std::string& name) {
    message descriptor, packet;
    descriptor.number(track_field::uuid, track).text(track_field::name, name);
    descriptor.number(track_field::parent, parent).child(track_field::counter, message{});
    packet.child(packet_field::track_descriptor, descriptor);
    write_packet(packet);
}

std::uint64_t perfetto_writer::intern(unsigned kind, const std::string& text,
                                      message& definitions) {
    auto& known = interned_[kind];
    const auto [place, is_new] = known.emplace(text, known.size() + 1);
    if (is_new) {
        message entry;
        entry.number(interned_field::iid, place->second).text(interned_field::name, text);
        definitions.child(kind, entry);
    }
    return place->second;
}

message perfetto_writer::event(unsigned type, std::uint64_t track, const std::string& name,
                               const std::vector<annotation>& notes, message& definitions) {
    message body;
    for (const annotation& note : notes) {
        message entry;
        entry.number(event_field::annotation_name_iid,
                     intern(interned_field::annotation_name, note.name, definitions));
        if (note.text.empty()) {
            entry.number(event_field::annotation_uint, note.number);
        } else {
            entry.text(event_field::annotation_string, note.text);
        }
        body.child(event_field::annotation, entry);
    }
    body.number(event_field::type, type);
    if (!name.empty()) {
        body.number(event_field::name_iid, intern(interned_field::event_name, name, definitions));
    }
    body.number(event_field::track, track);
    return body;
}

void perfetto_writer::begin(std::uint64_t track, std::uint64_t now, const std::string& name,
                            const std::vector<annotation>& notes, std::uint64_t ends_flow) {
    message definitions;
    message body = event(event_field::slice_begin, track, name, notes, definitions);
    if (ends_flow != 0) body.fixed64(event_field::terminating_flow, ends_flow);
    write(now, body, definitions);
}

void perfetto_writer::end(std::uint64_t track, std::uint64_t now) {
    message definitions;
    write(now, event(event_field::slice_end, track, "", {}, definitions), definitions);
}

void perfetto_writer::instant(std::uint64_t track, std::uint64_t now, const std::string& name,
                              const std::vector<annotation>& notes, std::uint64_t flow) {
    message definitions;
    message body = event(event_field::instant, track, name, notes, definitions);
    if (flow != 0) body.fixed64(event_field::flow, flow);
    write(now, body, definitions);
}

void perfetto_writer::count(std::uint64_t track, std::uint64_t now, std::uint64_t value) {
    message definitions;
    message body = event(event_field::counter, track, "", {}, definitions);
    body.number(event_field::counter_value, value);
    write(now, body, definitions);
}

void perfetto_writer::write(std::uint64_t now, const message& event, const message& definitions) {
    message packet;
    packet.number(packet_field::timestamp, now);
    packet.child(packet_field::track_event, event);
    if (!definitions.empty()) packet.child(packet_field::interned_data, definitions);
    packet.number(packet_field::sequence_flags, needs_state);
    write_packet(packet);
}

void perfetto_writer::write_packet(message& packet) {
    packet.number(packet_field::sequence, only_sequence);
    message framed;
    framed.child(trace_file_field::packet, packet);
    std::fwrite(framed.bytes().data(), 1, framed.bytes().size(), out_);
    ++packets_;
}

}  // namespace weft::tracetool
