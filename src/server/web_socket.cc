// A connection that was upgraded to WebSocket (docs/websocket.md). Beast's part of it is slow to
// compile and stays in this file.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/http_connection.h"
#include "server/http_request_reader.h"

namespace firn {

namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr size_t kMessageBytesMax = 64 * 1024;  // of a client
constexpr DurationNs kSilenceMax = 60 * kSecondNs;
constexpr DurationNs kCloseTime = 5 * kSecondNs;  // for the client's part of closing

std::chrono::nanoseconds nanoseconds(DurationNs duration) {
  return std::chrono::nanoseconds(duration);
}

}  // namespace

// What the two coroutines share. Thread rule: the connection's.
struct HttpConnection::WebSocket {
  explicit WebSocket(asio::ip::tcp::socket* socket) : stream(*socket) {}

  websocket::stream<asio::ip::tcp::socket&> stream;
  std::unique_ptr<MessageStream> messages;
  bool is_read = true;        // by the coroutine that reads
  uint16_t refused_with = 0;  // a close code, when the client said what it may not
};

asio::awaitable<void> HttpConnection::read_messages(std::shared_ptr<WebSocket> socket) {
  boost::beast::flat_buffer buffer;
  while (true) {
    const auto [error, bytes] = co_await socket->stream.async_read(buffer, kToken);
    if (error) break;  // closed; of what breaks the rules Beast has told the client
    shared_->metrics->received_bytes.add(bytes);
    if (!socket->stream.got_text()) {
      socket->refused_with = websocket::close_code::unknown_data;
      break;
    }
    const asio::const_buffer text = buffer.data();
    socket->messages->receive({static_cast<const char*>(text.data()), text.size()});
    buffer.consume(buffer.size());
  }
  socket->is_read = false;
  message_mailbox_->poke();
}

// Writes what the stream says until it ends, the client goes or the server stops.
asio::awaitable<CloseReason> HttpConnection::write_messages(WebSocket* socket) {
  while (true) {
    set_phase(Phase::kStream, INT64_MAX);
    socket->messages->next(
        [mailbox = message_mailbox_](MessagePiece piece) { mailbox->put(std::move(piece)); });
    std::optional<MessagePiece> piece = message_mailbox_->take();
    while (!piece.has_value()) {
      if (stopping_)
        co_return CloseReason{websocket::close_code::going_away, "the server is stopping"};
      if (gone_ || !socket->is_read) co_return CloseReason{socket->refused_with, "text only"};
      co_await message_mailbox_->wait(kHourNs);
      piece = message_mailbox_->take();
    }
    for (const std::string& message : piece->messages) {
      set_phase(Phase::kWrite, shared_->options.write_time_ns);
      const auto [error, bytes] =
          co_await socket->stream.async_write(asio::buffer(message), kToken);
      if (error) co_return CloseReason{};
      shared_->metrics->sent_bytes.add(bytes);
      if (stopping_) break;
    }
    if (piece->close.code != 0) co_return std::move(piece->close);
  }
}

asio::awaitable<void> HttpConnection::serve_web_socket(std::unique_ptr<MessageStream> messages) {
  const auto socket = std::make_shared<WebSocket>(&socket_);
  socket->messages = std::move(messages);
  message_mailbox_ = std::make_shared<Mailbox<MessagePiece>>(&thread_->context);
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = nanoseconds(kCloseTime);
  timeout.idle_timeout = nanoseconds(kSilenceMax);
  timeout.keep_alive_pings = true;
  socket->stream.set_option(timeout);
  socket->stream.read_message_max(kMessageBytesMax);
  socket->stream.text(true);
  socket->stream.auto_fragment(false);  // a frame for each message
  set_phase(Phase::kWrite, shared_->options.write_time_ns);
  const auto [refused] = co_await socket->stream.async_accept(reader_->head(), kToken);
  if (refused) co_return;
  asio::co_spawn(
      thread_->context, [self = shared_from_this(), socket] { return self->read_messages(socket); },
      asio::detached);
  const CloseReason close = co_await write_messages(socket.get());
  if (close.code != 0 && !gone_) {
    set_phase(Phase::kWrite, kCloseTime);
    const websocket::close_reason reason(static_cast<websocket::close_code>(close.code),
                                         close.text);
    co_await socket->stream.async_close(reason, kToken);
  }
  gone_ = true;
  request_->cancellation.cancel();
  error_code ignored;
  socket_.close(ignored);  // the coroutine that reads ends with it
  while (socket->is_read) co_await message_mailbox_->wait(kHourNs);
}

}  // namespace firn
