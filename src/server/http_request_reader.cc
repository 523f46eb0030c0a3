#include "server/http_request_reader.h"

#include <algorithm>
#include <boost/beast/http/rfc7230.hpp>
#include <utility>

namespace firn {

namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

HttpMethod method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return HttpMethod::kGet;
    case http::verb::head:
      return HttpMethod::kHead;
    case http::verb::post:
      return HttpMethod::kPost;
    case http::verb::put:
      return HttpMethod::kPut;
    case http::verb::delete_:
      return HttpMethod::kDelete;
    default:
      return HttpMethod::kOther;
  }
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// "http://host:1/path" as a target means "/path".
std::string_view origin_form(std::string_view target) {
  if (target.starts_with('/')) return target;
  const size_t authority = target.find("://");
  if (authority == std::string_view::npos) return target;
  const size_t path = target.find('/', authority + 3);
  return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

bool is_upgrade_to_web_socket(const http::fields& head) {
  return http::token_list(head[http::field::connection]).exists("upgrade") &&
         http::token_list(head[http::field::upgrade]).exists("websocket") &&
         head.count(http::field::sec_websocket_key) == 1 &&
         head[http::field::sec_websocket_version] == "13";
}

}  // namespace

void RequestReader::begin() {
  piece_parser_.reset();
  parser_.emplace();
  // It stops behind the header, where the route decides what becomes of the body.
  parser_->eager(false);
  parser_->header_limit(static_cast<uint32_t>(options_->header_bytes));
  parser_->body_limit(boost::none);
  header_done_ = false;
  expects_continue_ = false;
  failure_ = ReadFailure();
}

boost::asio::mutable_buffer RequestReader::space() {
  return buffer_.prepare(header_done_ ? kReadBodyBytes : kReadBytes);
}

RequestReader::Outcome RequestReader::parse(HttpRequest* request) {
  while (buffer_.size() > 0 && !parser_->is_done()) {
    error_code error;
    const size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (parser_->is_header_done() && !header_done_) {
      header_done_ = true;
      http_1_1_ = parser_->get().version() >= 11;
      if (!take_head(request)) return Outcome::kFailed;
      if (!error && router_->streams_body(*request)) {
        piece_parser_.emplace(std::move(*parser_));
        piece_parser_->eager(true);
        return Outcome::kStreams;
      }
      const auto announced = parser_->content_length();
      if (announced.has_value() && *announced > options_->body_bytes) {
        return fail(http::error::body_limit);
      }
      parser_->body_limit(options_->body_bytes);
      parser_->eager(true);
    }
    if (error == http::error::need_more) break;
    if (error) return fail(error);
    if (used == 0) break;
  }
  if (!parser_->is_done()) return Outcome::kNeedMore;
  request->body = std::move(parser_->get().body());
  return Outcome::kDone;
}

RequestReader::Outcome RequestReader::parse_piece(std::string* piece) {
  while (buffer_.size() > 0 && !piece_parser_->is_done()) {
    const size_t before = piece->size();
    piece->resize(before + buffer_.size());
    auto& body = piece_parser_->get().body();
    body.data = piece->data() + before;
    body.size = buffer_.size();
    error_code error;
    const size_t used = piece_parser_->put(buffer_.data(), error);
    piece->resize(piece->size() - body.size);  // what was not filled
    buffer_.consume(used);
    if (error == http::error::need_more) break;
    if (error && error != http::error::need_buffer) return fail(error);
    if (used == 0) break;
  }
  return piece_parser_->is_done() ? Outcome::kDone : Outcome::kNeedMore;
}

bool RequestReader::wants_continue() {
  return std::exchange(expects_continue_, false) && !has_input();
}

uint64_t RequestReader::body_bytes() const {
  if (!header_done_) return 0;
  const uint64_t now = parser_->get().body().size();
  const auto announced = parser_->content_length();
  return announced.has_value() ? std::max<uint64_t>(now, *announced) : now;
}

bool RequestReader::take_head(HttpRequest* request) {
  const auto& head = parser_->get();
  request->method = method_of(head.method());
  request->wants_web_socket =
      head.version() >= 11 && head.method() == http::verb::get && is_upgrade_to_web_socket(head);
  const std::string_view target = origin_form(view(head.target()));
  const size_t question = std::min(target.find('?'), target.size());
  request->path = target.substr(0, question);
  if (question < target.size()) request->query = target.substr(question + 1);
  size_t hosts = 0;
  for (const auto& field : head) {
    if (field.name() == http::field::host) ++hosts;
    take_field(field.name(), view(field.name_string()), view(field.value()), request);
  }
  if (hosts == 1 || (hosts == 0 && head.version() < 11)) return true;
  failure_.message = "the request must have exactly one Host header";
  return false;
}

void RequestReader::take_field(http::field name, std::string_view name_text, std::string_view value,
                               HttpRequest* request) {
  switch (name) {
    case http::field::host:
      request->host = value;
      return;
    case http::field::origin:
      request->origin = value;
      return;
    case http::field::authorization:
      request->authorization = value;
      return;
    case http::field::content_type:
      request->content_type = value;
      return;
    case http::field::content_encoding:
      request->content_encoding = value;
      return;
    case http::field::accept:
      request->accept = value;
      return;
    case http::field::expect:
      expects_continue_ = equals_ignoring_case(value, "100-continue");
      return;
    case http::field::unknown:
      if (equals_ignoring_case(name_text, "Last-Event-ID")) request->last_event_id = value;
      if (equals_ignoring_case(name_text, "Firn-Namespace")) request->firn_namespace = value;
      if (equals_ignoring_case(name_text, "Firn-Ack")) request->firn_ack = value;
      return;
    default:
      return;
  }
}

RequestReader::Outcome RequestReader::fail(const error_code& error) {
  if (error == http::error::header_limit) {
    failure_ = {431, "too_large",
                "the headers are longer than " + std::to_string(options_->header_bytes) +
                    " bytes, the limit header_bytes"};
  } else if (error == http::error::body_limit) {
    failure_ = {413, "too_large",
                "the body is longer than " + std::to_string(options_->body_bytes) +
                    " bytes, the limit request_wire_bytes"};
  } else if (error == http::error::bad_version) {
    failure_ = {505, "unsupported", "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  } else {
    failure_.message = "malformed HTTP: " + error.message();
  }
  return Outcome::kFailed;
}

}  // namespace firn
