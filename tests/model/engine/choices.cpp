// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "choices.hpp"

#include <algorithm>
#include <array>

namespace weft::model {

void choice_source::start_depth_first() {
    strategy_ = strategy::depth_first;
    is_bounded_ = true;
    answers_.clear();
    position_ = 0;
    diverged_ = false;
}

bool choice_source::next_depth_first() {
    position_ = 0;
    while (!answers_.empty()) {
        answer& last = answers_.back();
        if (++last.picked < last.options) return true;
        answers_.pop_back();
    }
    return false;
}

void choice_source::start_random(std::uint64_t seed) {
    strategy_ = strategy::random;
    is_bounded_ = false;
    answers_.clear();
    position_ = 0;
    diverged_ = false;
    state_ = (seed + 1) * 0x9E3779B97F4A7C15U | 1U;
    for (int i = 0; i < 4; ++i) static_cast<void>(draw());
    by_priority_ = (seed & 1U) != 0;
    stay_of_eight_ = std::array<std::uint64_t, 3>{0, 4, 7}[draw() % 3];
    if (decisions_ > 0) decisions_per_run_ = (decisions_per_run_ + decisions_) / 2 + 1;
    decisions_ = 0;
    for (auto& priority : priority_) priority = 100 + draw() % 1000;
    for (auto& point : change_points_) point = draw() % decisions_per_run_;
}

void choice_source::start_replay(std::string_view text) {
    strategy_ = strategy::replay;
    answers_.clear();
    position_ = 0;
    diverged_ = false;
    is_bounded_ = !text.starts_with('r');
    if (!is_bounded_) text.remove_prefix(1);
    while (!text.empty()) {
        std::size_t end = std::min(text.find('.'), text.size());
        std::string token(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        bool is_run = token.front() == 'z';
        auto number = static_cast<std::uint16_t>(std::stoul(is_run ? token.substr(1) : token));
        if (is_run) {
            answers_.insert(answers_.end(), number, answer{0, 0});
        } else {
            answers_.push_back(answer{number, 0});
        }
    }
}

std::string choice_source::text() const {
    std::string result(is_bounded_ ? "" : "r");
    std::size_t zeros = 0;
    auto add = [&, empty = result.size()](const std::string& token) {
        result += (result.size() == empty ? "" : ".") + token;
    };
    for (const answer& given : answers_) {
        if (given.picked == 0) {
            ++zeros;
            continue;
        }
        if (zeros > 0) add("z" + std::to_string(zeros));
        zeros = 0;
        add(std::to_string(given.picked));
    }
    return result;
}

std::uint64_t choice_source::draw() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return (state_ * 0x2545F4914F6CDD1DU) >> 16U;
}

std::size_t choice_source::remember(std::size_t picked, std::size_t options) {
    answers_.push_back({static_cast<std::uint16_t>(picked), static_cast<std::uint16_t>(options)});
    ++position_;
    return picked;
}

std::size_t choice_source::scripted(std::size_t options) {
    if (position_ == answers_.size()) return remember(0, options);
    answer& known = answers_[position_++];
    if (strategy_ == strategy::replay) known.options = static_cast<std::uint16_t>(options);
    if (known.options != options || known.picked >= options) {
        diverged_ = true;  // the code under test is not a function of its choices
        return 0;
    }
    return known.picked;
}

std::size_t choice_source::pick(std::size_t options) {
    if (options <= 1) return 0;
    if (strategy_ != strategy::random) return scripted(options);
    std::size_t picked = draw() % 3 != 0 ? 0 : draw() % options;
    return remember(picked, options);
}

std::size_t choice_source::pick_thread(std::span<const std::uint8_t> threads, std::size_t runnable,
                                       bool current_is_first) {
    if (threads.size() <= 1) return 0;
    if (strategy_ != strategy::random) return scripted(threads.size());
    return remember(random_thread(threads, runnable, current_is_first), threads.size());
}

std::size_t choice_source::random_thread(std::span<const std::uint8_t> threads,
                                         std::size_t runnable, bool current_is_first) {
    ++decisions_;
    std::size_t wakes = threads.size() - runnable;
    if (runnable == 0 || (wakes > 0 && draw() % 16 == 0)) return runnable + draw() % wakes;
    if (by_priority_) return highest_priority(threads, runnable, current_is_first);
    if (current_is_first && draw() % 8 < stay_of_eight_) return 0;
    return draw() % runnable;
}

std::size_t choice_source::highest_priority(std::span<const std::uint8_t> threads,
                                            std::size_t runnable, bool current_is_first) {
    for (std::size_t i = 0; i < change_points_.size(); ++i) {
        if (change_points_[i] == decisions_ && current_is_first) priority_[threads[0]] = i;
    }
    std::size_t best = 0;
    for (std::size_t i = 1; i < runnable; ++i) {
        if (priority_[threads[i]] > priority_[threads[best]]) best = i;
    }
    return best;
}

}  // namespace weft::model
