#pragma once

// A plain socket that sends and reads bytes, for tests of what a well-behaved client never does.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace firn {

class TestSocket {
 public:
  explicit TestSocket(uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    timeval limit{20, 0};  // a test that waits longer has failed
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~TestSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  TestSocket(TestSocket&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), unread_(std::move(other.unread_)) {}
  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;

  // Sends as much as the other end takes.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  // Up to and with `end`; what there was when the connection ended before.
  std::string read_until(std::string_view end) {
    while (unread_.find(end) == std::string::npos) {
      if (!receive()) return std::exchange(unread_, "");
    }
    const size_t size = unread_.find(end) + end.size();
    std::string found = unread_.substr(0, size);
    unread_.erase(0, size);
    return found;
  }
  // So many bytes; fewer when the connection ended before.
  std::string read_bytes(size_t size) {
    while (unread_.size() < size && receive()) {
    }
    std::string found = unread_.substr(0, size);
    unread_.erase(0, found.size());
    return found;
  }
  // One response with a Content-Length.
  std::string read_response() {
    std::string response = read_until("\r\n\r\n");
    const size_t length = response.find("Content-Length: ");
    if (length == std::string::npos) return response;
    const auto body = static_cast<size_t>(std::atoll(response.c_str() + length + 16));
    while (unread_.size() < body && receive()) {
    }
    response += unread_.substr(0, body);
    unread_.erase(0, body);
    return response;
  }
  // Everything until the connection is closed.
  std::string read_all() {
    while (receive()) {
    }
    return std::exchange(unread_, "");
  }

 private:
  bool receive() {
    char bytes[65536];
    const ssize_t got = ::recv(descriptor_, bytes, sizeof(bytes), 0);
    if (got > 0) unread_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }

  int descriptor_;
  std::string unread_;
};

}  // namespace firn
