#include "model/planes.h"

#include <gtest/gtest.h>

#include <string>

namespace firn {
namespace {

TEST(JoinPlanes, UndoesSplitPlanesForEveryWidthAndCount) {
  for (const size_t planes : {1u, 2u, 3u, 4u, 8u, 16u}) {
    for (size_t count = 0; count < 70; ++count) {
      SCOPED_TRACE(std::to_string(planes) + " planes of " + std::to_string(count));
      std::string values(planes * count, '\0');
      for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<char>(i * 37 + i / 251);
      std::string split(values.size(), '\0'), joined(values.size(), '\0');
      split_planes(values.data(), planes, count, planes, split.data());
      join_planes(split.data(), planes, count, planes, joined.data());
      EXPECT_EQ(joined, values);
    }
  }
}

TEST(JoinPlanes, LeavesBytesBetweenTheValues) {
  std::string values = "....----....----....";
  join_planes("abcdef", 8, 3, 2, values.data());
  EXPECT_EQ(values, "ad..----be..----cf..");
}

}  // namespace
}  // namespace firn
