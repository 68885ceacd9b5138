// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A task group's state under the model checker, with an owner and children that wait and are asked
// to stop (engine/modelled_task.hpp). Every child ends, and begins in its turn or not at all; each
// is asked once and the body once; the owner goes on once, when nobody needs it or the group.
#include "weft/combine/group_state.hpp"

#include <array>
#include <cstdint>
#include <memory>

#include "engine/cases.hpp"
#include "engine/modelled_task.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;

struct child final : weft::detail::group_node {
    modelled_task task;
    frame_operation* turn = nullptr;
    int kept = 0;  // fibers share one thread, so plain numbers may count
    int asked = 0;
    bool has_begun = false;

    explicit child(scenario& s) : task(s, "child") {}
};

enum class role { gives_value, fails, waits };

class group final : public weft::detail::group_state<env, group> {
public:
    group(scenario& s, std::size_t limit, modelled_task& owner)
        : group_state(limit), owner_(owner) {
        s.name(*this, "group");
    }

    // What the state asks for.
    static void keep(weft::detail::group_node& n) { ++static_cast<child&>(n).kept; }
    void ask(weft::detail::group_node& n) {
        auto& one = static_cast<child&>(n);
        require(why_.load() == 1, "the reason is there for who asks");
        require(++one.asked == 1, "a child is asked by the group once");
        static_cast<void>(one.task.cancel());
    }
    void ask_body() {
        require(++body_asked_ == 1, "the body is asked once");
        std::uint32_t epoch = 0;
        require(owner_.cancel(&epoch), "the owner is there while the group is open");
        own_request_.store(epoch);
    }
    void wake_owner() {
        require(exit_ != nullptr, "the owner is woken from its wait for the children");
        modelled_task::wake(*std::exchange(exit_, nullptr));
    }

    void cancel() {
        stop([this] { why_.store(1); });
    }
    /// A canceller of the owner, while that waits at the exit.
    void ask_for_owner() {
        note_stop([this] { why_.store(1); });
        while (weft::detail::group_node* const n = take_unasked()) ask(*n);
    }

    // Owner, at the end.
    /// Takes the body's request back, if there was one.
    void conclude() {
        require(open_children_ == 0, "all children are done");
        if (body_asked_ != 0) owner_.withdraw(own_request_.load());
    }
    void set_exit(frame_operation* op) { exit_ = op; }
    void count_child() { ++open_children_; }

    /// Creator and then worker of a child that was admitted.
    void run(child& one, role does);

private:
    void end(child& one, bool fails) {
        one.task.finish();
        --open_children_;
        const auto go_on = [](weft::detail::group_node* next, bool /*is_kept*/) {
            if (next != nullptr) modelled_task::wake(*static_cast<child*>(next)->turn);
        };
        const auto note = [&](bool is_first) {
            if (fails && is_first) why_.store(1);
            return fails;
        };
        end_child(one, note, go_on);
    }

    modelled_task& owner_;
    env::cell<int> why_{0};
    env::cell<std::uint32_t> own_request_{0};
    frame_operation* exit_ = nullptr;
    int body_asked_ = 0;
    int open_children_ = 0;
};

/// What a child waits on before its first step.
class await_turn final : public completion_source {
public:
    await_turn(group& in, child& one) : in_(in), one_(one) {}
    bool add(frame_operation* op) override {
        one_.turn = op;
        using entrance = group::entrance;
        const entrance how = in_.enter_child(one_);
        if (how == entrance::comes_too_late) in_.ask(one_);
        return how == entrance::waits;
    }
    bool remove(frame_operation* /*op*/) override { return in_.leave_queue(one_); }
    bool holds(frame_operation* /*op*/) override { return false; }

private:
    group& in_;
    child& one_;
};

/// The owner's wait at the exit, which a request does not shorten.
class await_exit final : public completion_source {
public:
    explicit await_exit(group& in) : in_(in) {}
    bool add(frame_operation* op) override {
        in_.set_exit(op);
        return in_.begin_wait();
    }
    bool remove(frame_operation* /*op*/) override {
        in_.ask_for_owner();
        return false;
    }
    bool holds(frame_operation* /*op*/) override { return false; }

private:
    group& in_;
};

void group::run(child& one, role does) {
    completion never;
    await_turn turn(*this, one);
    bool is_cancelled = one.task.suspend(turn);
    one.has_begun = !is_cancelled;
    if (!is_cancelled && does == role::waits) {
        is_cancelled = one.task.suspend(never);
        require(is_cancelled, "who waits for ever is asked to stop");
    }
    end(one, !is_cancelled && does == role::fails);
}

/// A group, its owner and its children, which are admitted before they run. The group is gone
/// as soon as its owner has left it.
struct family {
    modelled_task owner;
    std::unique_ptr<group> all;
    std::array<std::unique_ptr<child>, 3> children;

    family(scenario& s, std::size_t limit)
        : owner(s, "owner"), all(std::make_unique<group>(s, limit, owner)) {
        for (auto& each : children) each = std::make_unique<child>(s);
    }
    void begin(scenario& s, std::size_t which, role does) {
        require(all->try_admit() == group::admission::granted, "the body runs");
        all->count_child();
        s.thread("child", [this, which, does] { all->run(*children[which], does); });
    }
    /// The rest of the owner, once its body has ended.
    void leave() {
        all->leave();
        await_exit exit(*all);
        static_cast<void>(owner.suspend(exit));
        all->conclude();
        all = nullptr;
        owner.finish();
    }
    void check(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            children[i]->task.expect_all_answered();
            require(children[i]->kept <= 1, "a child is kept once");
        }
    }
};

/// Two children of which some fail, while the body waits for a request.
scenario_body failing(bool both) {
    return [=](scenario& s) {
        family f(s, 0);
        completion never;
        s.thread("owner", [&] {
            require(f.owner.suspend(never), "the body is asked to stop");
            f.leave();
        });
        f.begin(s, 0, role::fails);
        f.begin(s, 1, both ? role::fails : role::waits);
        s.finally([&] { f.check(2); });
    };
}

const registered_case one_fails({
    .structure = "group",
    .name = "a child fails, another and the body wait until they are asked",
    .kills = {mutation::group_adds_without_look},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = failing(false),
});

const registered_case two_fail({
    .structure = "group",
    .name = "two children fail at once, the body is asked once",
    .kills = {mutation::group_stops_twice, mutation::group_stops_uncounted},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = failing(true),
});

const registered_case quiet({
    .structure = "group",
    .name = "children end while the body goes on, and it adds one more",
    .kills = {mutation::group_wakes_who_does_not_wait},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            family f(s, 0);
            completion one;
            f.begin(s, 0, role::gives_value);
            s.thread("owner", [&] {
                require(!f.owner.suspend(one), "nobody stops the group");
                require(f.all->try_admit() == group::admission::granted, "it has not ended");
                f.all->count_child();
                f.all->run(*f.children[1], role::gives_value);
                f.leave();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            s.finally([&] { f.check(2); });
        },
});

/// Somebody cancels the group while the owner leaves it, or is asked to stop itself.
scenario_body stopped(bool is_owner_cancelled) {
    return [=](scenario& s) {
        family f(s, 0);
        s.thread("owner", [&] { f.leave(); });
        f.begin(s, 0, role::waits);
        f.begin(s, 1, is_owner_cancelled ? role::fails : role::gives_value);
        modelled_task* const owner = &f.owner;
        group* const all = f.all.get();
        s.thread("canceller", [=] {
            if (is_owner_cancelled)
                static_cast<void>(owner->cancel());
            else
                all->cancel();
        });
        s.finally([&] { f.check(2); });
    };
}

const registered_case cancelled_from_outside({
    .structure = "group",
    .name = "a group is cancelled while its owner leaves it",
    .kills = {mutation::group_stops_uncounted, mutation::group_adds_without_look},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = stopped(false),
});

const registered_case owner_cancelled({
    .structure = "group",
    .name = "a child fails while somebody cancels the owner",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = stopped(true),
});

/// One turn for three; the second child may be cancelled before it has one.
const registered_case turns({
    .structure = "group",
    .name = "three children have a turn one by one, or are cancelled before",
    .kills = {mutation::group_keeps_the_turn, mutation::group_leaves_queue_twice},
    .limits = {.preemptions = 2, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            family f(s, 1);
            for (std::size_t i : {0u, 1u, 2u}) f.begin(s, i, role::gives_value);
            s.thread("owner", [&] { f.leave(); });
            s.thread("canceller", [&] { static_cast<void>(f.children[1]->task.cancel()); });
            s.finally([&] {
                f.check(3);
                require(f.children[0]->has_begun && f.children[2]->has_begun, "their turn came");
            });
        },
});

}  // namespace

TEST_CASE("a task group asks each once and ends once, when nobody needs it", "[group]") {
    check_cases("group");
}

}  // namespace weft::model
