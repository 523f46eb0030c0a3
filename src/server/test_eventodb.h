#pragma once

// EventoDB's face over a real store, without sockets. For tests only.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/eventodb_face.h"
#include "server/eventodb_token.h"
#include "server/test_faces.h"

namespace firn {

// The contract over a real store, in test mode unless a test says otherwise.
class EventodbTest : public FaceTest {
 protected:
  void SetUp() override {
    FaceTest::SetUp();
    services_.eventodb_test_mode = true;
    router_ = std::make_unique<Router>(std::vector<Face>{eventodb_face(&services_)}, &metrics_);
  }

  HttpResponse rpc(std::string body, const std::string& token = {}) {
    const HttpRequestPtr request = make_request(HttpMethod::kPost, "/rpc", std::move(body));
    if (!token.empty()) request->authorization = "Bearer " + token;
    return ask(request);
  }
  // The body of an answer that must be 200.
  std::string call(std::string body, const std::string& token = {}) {
    const HttpResponse response = rpc(std::move(body), token);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_TRUE(response.body.ends_with('\n'));
    return response.body.substr(0, response.body.size() - 1);
  }
  void write(const std::string& stream, const std::string& message = R"({"type":"T","data":{}})") {
    call("[\"stream.write\",\"" + stream + "\"," + message + "]");
  }
  // "409 STREAM_VERSION_CONFLICT"
  static std::string error_of(const HttpResponse& response) {
    const size_t at = response.body.find("\"code\":\"");
    if (at == std::string::npos) return std::to_string(response.status) + " " + response.body;
    const size_t begin = at + 8;
    return std::to_string(response.status) + " " +
           response.body.substr(begin, response.body.find('"', begin) - begin);
  }
  std::string error(std::string body) { return error_of(rpc(std::move(body))); }

  std::string import_lines(const std::string& lines) {
    HttpResponse response = post("/import", lines);
    EXPECT_EQ(response.status, 200);
    return read_all(response.stream.get());
  }
  // How many messages of type T an array holds.
  size_t count(const std::string& call_text) {
    const std::string body = call(call_text);
    size_t found = 0;
    for (size_t at = body.find("\"T\","); at != std::string::npos;
         at = body.find("\"T\",", at + 1)) {
      ++found;
    }
    return found;
  }

  void serve_tokens(const std::string& token) {
    services_.eventodb_test_mode = false;
    const auto open = services_.gate->get();
    const Status status = prepare_eventodb(posix_env(), open->store.get(), {.token = token});
    ASSERT_TRUE(status.ok()) << status.to_string();
  }

  static std::string read_all(BodyStream* stream) {
    std::string text;
    while (true) {
      const auto piece = next(stream);
      if (!piece.has_value() || piece->empty()) return text;
      text += *piece;
    }
  }
  static std::optional<std::string> next(BodyStream* stream) {
    auto piece = std::make_shared<Awaited<std::string>>();
    stream->next([piece](std::string text) { piece->set(std::move(text)); });
    return piece->get();
  }
  // What arrives until the text holds `end`.
  static std::string read_until(BodyStream* stream, std::string_view end) {
    std::string text;
    while (text.find(end) == std::string::npos) {
      const auto piece = next(stream);
      if (!piece.has_value() || piece->empty()) break;
      text += *piece;
    }
    return text;
  }
  // The "stream/position" of each poke.
  static std::string pokes(std::string_view text) {
    std::string found;
    constexpr std::string_view kStart = "data: {\"stream\":\"";
    for (size_t at = text.find(kStart); at != std::string_view::npos; at = text.find(kStart, at)) {
      at += kStart.size();
      const size_t name_end = text.find('"', at);
      const size_t number = text.find_first_of("0123456789", name_end);
      found += std::string(text.substr(at, name_end - at)) + "/" +
               std::string(text.substr(number, text.find(',', number) - number)) + " ";
    }
    return found;
  }
};

// A line of an import, without an id.
inline std::string record_line(const std::string& stream, int position,
                               const std::string& data = "{}") {
  return R"({"stream":")" + stream + R"(","type":"T","pos":)" + std::to_string(position) +
         R"(,"gpos":1,"data":)" + data + R"(,"meta":null,"time":"2026-01-02T03:04:05.678Z"})" +
         "\n";
}

}  // namespace firn
