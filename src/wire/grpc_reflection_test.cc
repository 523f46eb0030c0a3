#include "wire/grpc_reflection.h"

#include <gmock/gmock.h>

#include <protozero/pbf_reader.hpp>
#include <vector>

#include "wire/otlp_schema.h"
#include "wire/otlp_test_request.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kFileByName = 3, kFileOfSymbol = 4, kListServices = 7;  // of requests
constexpr uint32_t kFiles = 4, kServices = 6, kError = 7;                  // of responses

// The member of the answer; empty when it is not there.
std::string member(const std::string& answer, uint32_t tag) {
  protozero::pbf_reader message(answer);
  while (message.next()) {
    if (message.tag() == tag) return message.get_string();
    message.skip();
  }
  return "";
}
std::vector<std::string> repeated(const std::string& message, uint32_t tag) {
  std::vector<std::string> all;
  for (protozero::pbf_reader reader(message); reader.next();) {
    if (reader.tag() == tag) {
      all.push_back(reader.get_string());
    } else {
      reader.skip();
    }
  }
  return all;
}
std::string ask(uint32_t tag, std::string_view text) {
  return answer_reflection(TestProto().text(tag, text).bytes);
}
// Names of the files in an answer.
std::vector<std::string> files(const std::string& answer) {
  std::vector<std::string> names;
  for (const std::string& file : repeated(member(answer, kFiles), 1)) {
    names.push_back(member(file, 1));
  }
  return names;
}

TEST(GrpcReflection, ListsEveryService) {
  std::vector<std::string> names;
  for (const std::string& service : repeated(member(ask(kListServices, ""), kServices), 1)) {
    names.push_back(member(service, 1));
  }
  EXPECT_EQ(names, otlp_schema_services());
}

TEST(GrpcReflection, DescribesASymbolWithAllThatItNeeds) {
  const std::vector<std::string> needed = {
      "opentelemetry/proto/collector/logs/v1/logs_service.proto",
      "opentelemetry/proto/logs/v1/logs.proto", "opentelemetry/proto/common/v1/common.proto",
      "opentelemetry/proto/resource/v1/resource.proto"};
  for (const std::string& service : otlp_schema_services()) {
    EXPECT_FALSE(files(ask(kFileOfSymbol, service)).empty()) << service;
  }
  EXPECT_EQ(files(ask(kFileOfSymbol, "opentelemetry.proto.collector.logs.v1.LogsService")), needed);
  EXPECT_EQ(files(ask(kFileOfSymbol, "opentelemetry.proto.collector.logs.v1.LogsService.Export")),
            needed);
  EXPECT_EQ(files(ask(kFileOfSymbol, "opentelemetry.proto.trace.v1.Span.SpanKind")).front(),
            "opentelemetry/proto/trace/v1/trace.proto");
  EXPECT_THAT(files(ask(kFileByName, "opentelemetry/proto/common/v1/common.proto")),
              ElementsAre("opentelemetry/proto/common/v1/common.proto"));
}

TEST(GrpcReflection, NamesWhatIsUnknownOrMalformed) {
  EXPECT_THAT(member(ask(kFileOfSymbol, "no.such.Thing"), kError), HasSubstr("no.such.Thing"));
  EXPECT_THAT(member(ask(kFileByName, "no.proto"), kError), HasSubstr("no.proto"));
  EXPECT_THAT(member(ask(5, ""), kError), HasSubstr("nothing is extended"));
  EXPECT_THAT(member(answer_reflection(""), kError), HasSubstr("asks for nothing"));
  EXPECT_THAT(member(answer_reflection("\x22\xff"), kError), HasSubstr("malformed"));
}

}  // namespace
}  // namespace firn
