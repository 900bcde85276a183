#include <cleave/engine/alpha_health.hpp>
#include <cleave/engine/schedule.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave_test.hpp>
#include <string>
#include <vector>

using namespace cleave;

namespace {

Schedule two_splits(Restart restart) {
  return {.splits = {{15, 2}, {30, 2}}, .final_epochs = 40, .restart = restart};
}

std::string refusal(const Schedule& schedule) {
  try {
    schedule.check();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "";
}

void check_phase(const Schedule& schedule, std::size_t depth, std::size_t before,
                 std::size_t epochs) {
  CAPTURE(depth);
  CHECK(schedule.phase(depth).before == before);
  CHECK(schedule.phase(depth).epochs == epochs);
}

}  // namespace

TEST_CASE("a search without splits is one phase") {
  const Schedule schedule{.final_epochs = 30};
  CHECK(schedule.levels() == 0);
  CHECK(schedule.epochs(0) == 30);
  check_phase(schedule, 0, 0, 30);
  CHECK_FALSE(schedule.restarts(0));
  CHECK(refusal(schedule).empty());
}

TEST_CASE("restart at the last split: supernets share one phase, leaves have their own") {
  const auto schedule = two_splits(Restart::LastSplit);
  CHECK(schedule.levels() == 2);
  CHECK(schedule.epochs(0) == 15);
  CHECK(schedule.epochs(1) == 15);
  CHECK(schedule.epochs(2) == 40);
  CHECK_FALSE(schedule.restarts(0));
  CHECK_FALSE(schedule.restarts(1));
  CHECK(schedule.restarts(2));
  check_phase(schedule, 0, 0, 30);
  check_phase(schedule, 1, 15, 30);
  check_phase(schedule, 2, 0, 40);
}

TEST_CASE("no restart: one phase to the end") {
  const auto schedule = two_splits(Restart::None);
  for (std::size_t depth = 0; depth < 3; ++depth) CHECK_FALSE(schedule.restarts(depth));
  check_phase(schedule, 0, 0, 70);
  check_phase(schedule, 1, 15, 70);
  check_phase(schedule, 2, 30, 70);
}

TEST_CASE("restart at every split: a phase for every level") {
  const auto schedule = two_splits(Restart::EverySplit);
  CHECK_FALSE(schedule.restarts(0));
  CHECK(schedule.restarts(1));
  CHECK(schedule.restarts(2));
  check_phase(schedule, 0, 0, 15);
  check_phase(schedule, 1, 0, 15);
  check_phase(schedule, 2, 0, 40);
}

TEST_CASE("progress runs from 0 to 1 over every phase, whatever the restarts") {
  for (const auto restart : {Restart::None, Restart::EverySplit, Restart::LastSplit}) {
    const auto schedule = two_splits(restart);
    std::size_t behind = 0;
    for (std::size_t depth = 0; depth <= schedule.levels(); ++depth) {
      const auto phase = schedule.phase(depth);
      if (schedule.restarts(depth)) behind = 0;
      CHECK(phase.before == behind);
      behind += schedule.epochs(depth);
      const bool ends = depth == schedule.levels() || schedule.restarts(depth + 1);
      CHECK((behind == phase.epochs) == ends);
    }
  }
}

TEST_CASE("schedules that make no sense are refused with the number at fault") {
  CHECK(refusal(two_splits(Restart::LastSplit)).empty());
  CHECK(refusal({.splits = {{0, 2}, {5, 3}}, .final_epochs = 1}).empty());
  CHECK(refusal({.splits = {{15, 2}, {10, 2}}}).find("epoch 10 after one at 15") !=
        std::string::npos);
  CHECK_FALSE(refusal({.splits = {{15, 2}, {15, 2}}}).empty());
  CHECK_FALSE(refusal({.splits = {{0, 2}, {0, 2}}}).empty());
  CHECK(refusal({.splits = {{15, 1}}}).find("1 groups") != std::string::npos);
  CHECK(refusal({.final_epochs = 0}).find("final") != std::string::npos);
}

TEST_CASE("alpha health: uniform weights are undecided, a pile of skips is a collapse") {
  using Space = space::NasBench201;
  std::vector<double> weights(30, 0.2);
  auto health = alpha_health<Space>({}, weights);
  CHECK(health.entropy == Approx(1).epsilon(1e-12));
  CHECK(health.skip_share == Approx(0.2).epsilon(1e-12));
  CHECK(health.none_share == Approx(0.2).epsilon(1e-12));

  weights.assign(30, 0);
  for (std::size_t d = 0; d < 6; ++d) weights[d * 5 + (d < 4 ? 1 : 0)] = 1;  // 4 skips, 2 nones
  health = alpha_health<Space>({}, weights);
  CHECK(health.entropy == 0);
  CHECK(health.skip_share == Approx(4.0 / 6));
  CHECK(health.none_share == Approx(2.0 / 6));

  // A decision without a choice has no say in the entropy.
  const auto narrow = Restriction<Space>()
                          .with(DecisionId(0), {Space::skip_connect})
                          .with(DecisionId(1), {Space::none, Space::nor_conv_3x3});
  weights.assign(30, 0.2);
  weights[0] = weights[2] = weights[3] = weights[4] = 0;
  weights[1] = 1;
  weights[5] = weights[8] = 0.5;
  weights[6] = weights[7] = weights[9] = 0;
  CHECK(alpha_health<Space>(narrow, weights).entropy == Approx(1).epsilon(1e-12));
}
