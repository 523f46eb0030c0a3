#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/http_server.h"
#include "server/http_types.h"
#include "server/router.h"

namespace firn {

// What went wrong with a request before it was whole.
struct ReadFailure {
  int http_status = 400;
  std::string_view code = "invalid_argument";
  std::string message;
};

// Makes requests of the bytes of one connection; knows Beast. Thread rule: one thread.
class RequestReader {
 public:
  enum class Outcome : uint8_t {
    kNeedMore,
    kDone,     // the request is whole
    kStreams,  // its route reads the body while it arrives: by parse_piece()
    kFailed,
  };
  static constexpr size_t kReadBytes = 16 * 1024;  // at a time
  static constexpr size_t kReadBodyBytes = 256 * 1024;

  // Both must outlive the reader.
  RequestReader(const HttpOptions* options, const Router* router)
      : options_(options), router_(router) {}

  // Before each request.
  void begin();
  // Where received bytes go.
  boost::asio::mutable_buffer space();
  void received(size_t bytes) { buffer_.commit(bytes); }
  bool has_input() const { return buffer_.size() > 0; }
  bool header_done() const { return header_done_; }
  // Since begin().
  bool got_some() const { return header_done_ || parser_->got_some() || has_input(); }

  // Reads what has been received.
  Outcome parse(HttpRequest* request);
  // Adds to `piece` what has been received of a body that is streamed; kDone when it is whole.
  Outcome parse_piece(std::string* piece);

  // True once, when the client waits to be told that it may send the body.
  bool wants_continue();
  // What the body takes, or will.
  uint64_t body_bytes() const;
  bool keep_alive() const { return parser_->get().keep_alive(); }
  // Of the request that was read last; valid until begin().
  const boost::beast::http::request<boost::beast::http::string_body>& head() const {
    return parser_->get();
  }
  bool http_1_1() const { return http_1_1_; }
  const ReadFailure& failure() const { return failure_; }

 private:
  using WholeParser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using PieceParser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

  bool take_head(HttpRequest* request);
  void take_field(boost::beast::http::field name, std::string_view name_text,
                  std::string_view value, HttpRequest* request);
  Outcome fail(const boost::system::error_code& error);

  const HttpOptions* const options_;
  const Router* const router_;
  boost::beast::flat_buffer buffer_;
  std::optional<WholeParser> parser_;
  std::optional<PieceParser> piece_parser_;  // in its place, when the body is streamed
  bool header_done_ = false;
  bool http_1_1_ = true;
  bool expects_continue_ = false;
  ReadFailure failure_;
};

}  // namespace firn
