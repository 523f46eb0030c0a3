#include "wire/severity.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

int number_of(std::string_view name) {
  const auto number = severity_from_name(name);
  return number ? *number : -1;
}

TEST(Severity, NamesInAnyCaseAndWithSteps) {
  EXPECT_EQ(number_of("trace"), 1);
  EXPECT_EQ(number_of("Debug"), 5);
  EXPECT_EQ(number_of("INFO"), 9);
  EXPECT_EQ(number_of("info3"), 11);
  EXPECT_EQ(number_of("warn"), 13);
  EXPECT_EQ(number_of("WARNING"), 13);
  EXPECT_EQ(number_of("error"), 17);
  EXPECT_EQ(number_of("fatal4"), 24);
  EXPECT_EQ(number_of("SEVERITY_NUMBER_WARN2"), 14);
  EXPECT_EQ(number_of("SEVERITY_NUMBER_UNSPECIFIED"), 0);
}

TEST(Severity, OtherTextIsUnknown) {
  for (const char* text : {"", "info5", "info0", "information!", "warnings", "9", "infoo"}) {
    EXPECT_EQ(number_of(text), -1) << text;
  }
  EXPECT_EQ(number_of(std::string(1000, 'a')), -1);
}

TEST(Severity, SyslogLevelsFollowOpenTelemetry) {
  EXPECT_EQ(severity_from_syslog(0), 21);
  EXPECT_EQ(severity_from_syslog(3), 17);
  EXPECT_EQ(severity_from_syslog(6), 9);
  EXPECT_EQ(severity_from_syslog(7), 5);
}

}  // namespace
}  // namespace firn
