#pragma once

// The client's side of WebSocket over a plain socket, byte by byte. For tests only.

#include <cstdint>
#include <string>
#include <string_view>

#include "server/test_socket.h"

namespace firn {

class TestWebSocket {
 public:
  struct Frame {
    int code = -1;  // 1 text, 2 binary, 8 close, 9 ping, 10 pong; -1: the connection is over
    bool is_last = false;
    std::string content;
    // Of a close frame; 0: it has none.
    int close_code() const {
      if (code != 8 || content.size() < 2) return 0;
      return static_cast<uint8_t>(content[0]) * 256 + static_cast<uint8_t>(content[1]);
    }
  };
  static constexpr int kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;

  TestWebSocket(uint16_t port, const std::string& target, const std::string& more_fields = "")
      : socket_(port) {
    socket_.send("GET " + target +
                 " HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
                 "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                 "dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                 more_fields + "\r\n");
    answer_ = socket_.read_until("\r\n\r\n");
  }

  const std::string& answer() const { return answer_; }
  TestSocket& socket() { return socket_; }

  // A frame as a client must send it, or, with `is_masked` false, as it must not.
  static std::string frame(int code, std::string_view content, bool is_last = true,
                           bool is_masked = true) {
    constexpr std::string_view kMask = "\x11\x22\x33\x44";
    std::string bytes(1, static_cast<char>(code | (is_last ? 0x80 : 0)));
    const int mask_bit = is_masked ? 0x80 : 0;
    const size_t size = content.size();
    int size_bytes = 0;
    if (size < 126) {
      bytes.push_back(static_cast<char>(size | static_cast<size_t>(mask_bit)));
    } else {
      size_bytes = size < 65536 ? 2 : 8;
      bytes.push_back(static_cast<char>((size_bytes == 2 ? 126 : 127) | mask_bit));
    }
    while (size_bytes > 0) bytes.push_back(static_cast<char>(size >> (8 * --size_bytes)));
    if (is_masked) bytes += kMask;
    for (size_t i = 0; i < size; ++i) {
      bytes.push_back(static_cast<char>(is_masked ? content[i] ^ kMask[i % 4] : content[i]));
    }
    return bytes;
  }
  void send(int code, std::string_view content) { socket_.send(frame(code, content)); }

  Frame read() {
    const std::string head = socket_.read_bytes(2);
    if (head.size() < 2) return {};
    Frame found;
    found.code = head[0] & 0x0f;
    found.is_last = (head[0] & 0x80) != 0;
    size_t size = static_cast<uint8_t>(head[1]) & 0x7f;
    if (size >= 126) {
      const std::string bytes = socket_.read_bytes(size == 126 ? 2 : 8);
      size = 0;
      for (const char byte : bytes) size = size << 8 | static_cast<uint8_t>(byte);
    }
    found.content = socket_.read_bytes(size);
    return found;
  }

 private:
  TestSocket socket_;
  std::string answer_;
};

}  // namespace firn
